// What the store makes of files that are damaged or lost, and of another plugin's.
#include "cni/error.h"
#include "test/unit/cni_ipam_store.h"

using namespace routelet;
using namespace routelet::cni;
using namespace routelet::test;

namespace {

namespace fs = std::filesystem;

// A store that can be asked what it told, with a kernel that shows what the test says.
struct Watched : Store {
    std::map<IpAddress, LivingPod> kernel;
    std::vector<std::string> told;
    fs::path imported = temporary.path / "networks" / "old";
    AddressStore watched{folder, imported,
                         [this](const LogLine& line) { told.push_back(to_logfmt(line, {})); }};

    LivingLookup living() const
    {
        return [this](const IpAddress& address) -> Result<std::optional<LivingPod>> {
            const auto found = kernel.find(address);
            return found == kernel.end() ? std::nullopt : std::optional(found->second);
        };
    }
    IpAddress give(const AttachmentId& id, const RangeSet& set) const
    {
        return need(watched.reserve(id, {set}, {.living = living()}))[0].address;
    }
    void put_imported(const std::string& name, const std::string& content) const
    {
        fs::create_directories(imported);
        std::ofstream(imported / name) << content;
    }
};

} // namespace

TEST_CASE("a reservation that names nobody is set aside when nothing else is free", "[cni][ipam]")
{
    const std::string content =
        GENERATE(as<std::string>{}, "", "\r\n", std::string(64, '\0'), "\xff\xfe", "-bad\r\neth0", "a b");
    const Watched state;
    const RangeSet set = whole("10.244.1.0/29"_net); // .2 to .6
    state.put("10.244.1.2", content);
    for (int i = 3; i <= 6; ++i)
        CHECK(state.give(pod(i), set) == "10.244.1.0"_ip.plus(static_cast<std::uint64_t>(i)));
    CHECK(state.told.empty());

    CHECK(state.give(pod(7), set) == "10.244.1.2"_ip);
    CHECK(need(read_file(state.folder / "10.244.1.2")) == "pod7\r\neth0");
    CHECK(need(read_file(state.folder / "damaged" / "10.244.1.2")) == content);
    REQUIRE(state.told.size() == 1);
    CHECK_THAT(state.told[0], has_text("event=reservation-damaged address=10.244.1.2 kept_as="));
    CHECK_FALSE(state.watched.reserve(pod(8), {set}, {.living = state.living()}).has_value());
}

TEST_CASE("an address that the kernel shows in use is given to nobody else", "[cni][ipam]")
{
    Watched state;
    const RangeSet set = whole("10.244.1.0/29"_net);
    state.kernel["10.244.1.2"_ip] = {AttachmentId{"lost", "eth0"}};

    SECTION("when its reservation is gone, it gets another")
    {
        CHECK(state.give(pod(1), set) == "10.244.1.3"_ip);
        CHECK(need(read_file(state.folder / "10.244.1.2")) == "lost\r\neth0");
        REQUIRE(state.told.size() == 1);
        CHECK_THAT(state.told[0],
                   has_text("event=reservation-restored address=10.244.1.2 container=lost interface=eth0"));
    }
    SECTION("when its reservation is damaged, it gets another, and the old one is kept")
    {
        state.put("10.244.1.2", "");
        for (int i = 3; i <= 6; ++i)
            state.give(pod(i), set);
        CHECK_FALSE(state.watched.reserve(pod(7), {set}, {.living = state.living()}).has_value());
        CHECK(need(read_file(state.folder / "10.244.1.2")) == "lost\r\neth0");
        CHECK(fs::exists(state.folder / "damaged" / "10.244.1.2"));
        CHECK(state.told.size() == 2);
    }
    SECTION("when it is the only one that rests")
    {
        need(state.watched.reserve({"lost", "eth0"}, {set}));
        need(state.watched.release({"lost", "eth0"}));
        for (int i = 3; i <= 6; ++i)
            state.give(pod(i), set);
        CHECK_FALSE(state.watched.reserve(pod(7), {set}, {.living = state.living()}).has_value());
    }
    SECTION("when somebody asks for it")
    {
        const auto wanted =
            state.watched.reserve(pod(1), {set}, {.wanted = {"10.244.1.2"_ip}, .living = state.living()});
        REQUIRE_FALSE(wanted.has_value());
        CHECK_THAT(message_of(wanted.error()), has_text("10.244.1.2 is taken by an interface"));
        CHECK(need(state.watched.reserved(pod(1))).empty());
    }
    CHECK(need(state.watched.reserved({"lost", "eth0"})) == std::vector{"10.244.1.2"_ip});
    need(state.watched.release({"lost", "eth0"}));
    CHECK_FALSE(state.files().contains("10.244.1.2"));
}

TEST_CASE("an address in use by nobody knows whom is passed over, and nothing is written for it",
          "[cni][ipam]")
{
    Watched state;
    state.kernel["10.244.1.2"_ip] = {};
    CHECK(state.give(pod(1), whole("10.244.1.0/29"_net)) == "10.244.1.3"_ip);
    CHECK(state.files() == std::set<std::string>{"10.244.1.3"});
}

TEST_CASE("both addresses of a pod are found again when the whole folder was lost", "[cni][ipam]")
{
    Watched state;
    const std::vector<RangeSet> sets = {whole("10.244.1.0/24"_net), whole("fd00::/64"_net)};
    need(state.watched.reserve(pod(1), sets));
    state.kernel["10.244.1.2"_ip] = {pod(1)};
    state.kernel["fd00::2"_ip] = {pod(1)};
    fs::remove_all(state.folder);

    const auto second = need(state.watched.reserve(pod(2), sets, {.living = state.living()}));
    CHECK(second[0].address == "10.244.1.3"_ip);
    CHECK(second[1].address == "fd00::3"_ip);
    CHECK(need(state.watched.reserved(pod(1))) == std::vector{"10.244.1.2"_ip, "fd00::2"_ip});
    need(state.watched.release(pod(1)));
    CHECK(state.files() == std::set<std::string>{"10.244.1.3", "fd00::3"});
}

TEST_CASE("a kernel that does not answer is an error, and nobody gets an address", "[cni][ipam]")
{
    const Watched state;
    const LivingLookup silent = [](const IpAddress&) -> Result<std::optional<LivingPod>> {
        return make_error(boost::system::errc::io_error, "asking");
    };
    CHECK_FALSE(state.watched.reserve(pod(1), {whole("10.244.1.0/24"_net)}, {.living = silent}).has_value());
    CHECK(state.files().empty());
}

TEST_CASE("a damaged index costs no address", "[cni][ipam]")
{
    const std::string content = GENERATE(as<std::string>{}, "", "\n", "10.244.1.2", "10.244.1.2\nfd0",
                                         std::string(12, '\0'), "10.244.1.2\nx\n");
    CAPTURE(content);
    const Store state;
    const std::vector<RangeSet> sets = {whole("10.244.1.0/24"_net), whole("fd00::/64"_net)};
    need(state.store.reserve(pod(1), sets));
    state.put("by-id/pod1:eth0", content);
    CHECK(need(state.store.reserved(pod(1))).size() == 2);
    need(state.store.release(pod(1)));
    CHECK(state.files().empty());
    CHECK_FALSE(state.has_index());
}

TEST_CASE("a damaged stamp of the boot takes no living pod's address", "[cni][ipam]")
{
    const std::string content = GENERATE(as<std::string>{}, "", "\n", std::string(37, '\0'), "x");
    const Store state;
    state.put("10.244.1.2", "old\r\neth0");
    state.put("boot_id", content);
    CHECK_FALSE(state.store.check_capacity({whole("10.244.1.0/30"_net)}).has_value());
    CHECK(state.give(pod(1), whole("10.244.1.0/24"_net)) == "10.244.1.3"_ip);
    CHECK(need(read_file(state.folder / "boot_id")) == need(read_file("/proc/sys/kernel/random/boot_id")));
}

TEST_CASE("what another plugin gave out is taken until either plugin frees it", "[cni][ipam]")
{
    Watched state;
    const RangeSet set = whole("10.244.1.0/29"_net); // .2 to .6
    state.put_imported("10.244.1.2", "old\r\neth0");
    state.put_imported("10.244.1.4", ""); // perhaps being written
    state.put_imported("last_reserved_ip.0", "10.244.1.4");
    state.put_imported("lock", "");
    CHECK(state.give(pod(1), set) == "10.244.1.3"_ip);
    CHECK(state.give(pod(2), set) == "10.244.1.5"_ip);
    CHECK(need(state.watched.reserved({"old", "eth0"})) == std::vector{"10.244.1.2"_ip});

    SECTION("nobody gets it by asking")
    {
        const auto wanted = state.watched.reserve(pod(3), {set}, {.wanted = {"10.244.1.2"_ip}});
        REQUIRE_FALSE(wanted.has_value());
        CHECK_THAT(message_of(wanted.error()), has_text("taken by container old"));
    }
    SECTION("nor by being the last")
    {
        CHECK(state.give(pod(3), set) == "10.244.1.6"_ip);
        CHECK_FALSE(state.watched.check_capacity({set}).has_value());
        CHECK_FALSE(state.watched.reserve(pod(4), {set}).has_value());
    }
    SECTION("a DEL to us frees it there, and it rests here")
    {
        need(state.watched.release({"old", "eth0"}));
        CHECK_FALSE(fs::exists(state.imported / "10.244.1.2"));
        CHECK(state.give(pod(3), set) == "10.244.1.6"_ip);
        CHECK(state.give(pod(4), set) == "10.244.1.2"_ip);
    }
    SECTION("a DEL to the other plugin frees it, too")
    {
        fs::remove(state.imported / "10.244.1.2");
        state.give(pod(3), set);
        CHECK(state.give(pod(4), set) == "10.244.1.2"_ip);
    }
    SECTION("garbage collection leaves it alone")
    {
        CHECK(need(state.watched.attachments(std::chrono::seconds(0))) ==
              std::set<AttachmentId>{pod(1), pod(2)});
    }
    SECTION("after a boot there is nothing left of it")
    {
        state.put_imported("boot_id", "00000000-0000-0000-0000-000000000000\n");
        CHECK(state.watched.check_capacity({set}).has_value());
        state.give(pod(3), set);
        CHECK(state.give(pod(4), set) == "10.244.1.2"_ip);
    }
}

TEST_CASE("our own pods are not looked for in another plugin's folder", "[cni][ipam]")
{
    const Watched state;
    state.give(pod(1), whole("10.244.1.0/24"_net));
    state.put_imported("10.244.1.9", "pod1\r\neth0"); // of the same name, by whatever way
    need(state.watched.release(pod(1)));
    CHECK(fs::exists(state.imported / "10.244.1.9"));
    need(state.watched.release(pod(1)));
    CHECK_FALSE(fs::exists(state.imported / "10.244.1.9"));
}

TEST_CASE("a folder to import from that is missing, or is our own, changes nothing", "[cni][ipam]")
{
    const Store state;
    const fs::path imported = state.folder / GENERATE("../none", ".", "../net");
    const AddressStore store(state.folder, imported);
    CHECK(need(store.reserve(pod(1), {whole("10.244.1.0/24"_net)}))[0].address == "10.244.1.2"_ip);
    CHECK(store.check_capacity({whole("10.244.1.0/24"_net)}).has_value());
    need(store.release(pod(1)));
    need(store.release(pod(1)));
    CHECK(state.files().empty());
}
