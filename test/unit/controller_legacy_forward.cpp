#include "controller/diagnosis/legacy_forward.h"
#include "test/support/catch.h"

#include <algorithm>

using namespace routelet;
using namespace routelet::controller;
using namespace routelet::test;
using netlink::LegacyChain;
using netlink::LegacyRule;
using netlink::LegacyTable;
using netlink::LinkPattern;
using Target = netlink::LegacyRule::Target;

namespace {

// "docker0", "veth+", "! docker0"
LinkPattern link(std::string text)
{
    LinkPattern pattern;
    pattern.is_inverted = text.starts_with("! ");
    if (pattern.is_inverted)
        text.erase(0, 2);
    const bool is_beginning = text.ends_with('+');
    if (is_beginning)
        text.pop_back();
    std::ranges::copy(text, pattern.name.begin());
    std::fill_n(pattern.mask.begin(), text.size() + (is_beginning ? 0 : 1), '\xff');
    return pattern;
}

using Rules = std::vector<LegacyRule>;

const LegacyRule accept_all{.target = Target::accept};
const LegacyRule accept_some{.has_more_conditions = true, .target = Target::accept};
const LegacyRule accept_known{
    .has_more_conditions = true, .is_for_known_connections = true, .target = Target::accept};
const LegacyRule accept_marked{.has_more_conditions = true, .is_for_marked = true, .target = Target::accept};
const LegacyRule drop_all{.target = Target::drop};
const LegacyRule drop_some{.has_more_conditions = true, .target = Target::drop};
const LegacyRule leave{.target = Target::leave};
const LegacyRule leave_some{.has_more_conditions = true, .target = Target::leave};
const LegacyRule go_on{.target = Target::pass};
const LegacyRule not_known{.target = Target::other};

LegacyRule to(Target target, std::size_t chain, bool is_always = true)
{
    return {.has_more_conditions = !is_always, .target = target, .chain = chain};
}
const LegacyRule jump = to(Target::jump, 1);
const LegacyRule go_to = to(Target::go_to, 1);
const LegacyRule jump_some = to(Target::jump, 1, false);

LegacyTable table(bool drops, Rules forward, Rules user = {}, std::string name = "USER")
{
    return {.name = "filter",
            .chains = {{"FORWARD", std::move(forward)}, {std::move(name), std::move(user)}},
            .forward = 0,
            .drops = drops};
}
LegacyTable dropping(Rules forward, Rules user = {}, std::string name = "USER")
{
    return table(true, std::move(forward), std::move(user), std::move(name));
}
LegacyTable accepting(Rules forward, Rules user = {})
{
    return table(false, std::move(forward), std::move(user));
}

const std::vector<ForwardWay> ways = {{"v-net-0", "eth0"}, {"eth0", "v-net-0"}};

struct Case {
    std::string title;
    LegacyTable table;
    ForwardFate fate;
};

// As Docker has them, and kube-proxy.
LegacyTable of_docker_and_kube_proxy()
{
    const LinkPattern docker0 = link("docker0");
    LegacyRule to_user{.target = Target::jump, .chain = 1};
    LegacyRule to_kube{.target = Target::jump, .chain = 2};
    LegacyRule answers = accept_known;
    answers.out = docker0;
    return {.name = "filter",
            .chains = {{"FORWARD",
                        {to_kube,
                         to_user,
                         answers,
                         {.out = docker0, .target = Target::jump, .chain = 3},
                         {.in = docker0, .out = link("! docker0"), .target = Target::accept},
                         {.in = docker0, .out = docker0, .target = Target::accept}}},
                       {"DOCKER-USER", {leave}},
                       {"KUBE-FORWARD", {drop_some, accept_marked, accept_known, leave}},
                       {"DOCKER", {accept_some, leave}}},
            .drops = true};
}

} // namespace

TEST_CASE("what a legacy table does to packets of pods", "[doctor][legacy]")
{
    using enum ForwardFate;
    const std::vector<Case> cases = {
        {"the policy accepts", accepting({}), passed},
        {"the policy drops", dropping({}), dropped},
        {"a rule accepts all", dropping({accept_all}), passed},
        {"a rule accepts some", dropping({accept_some}), doubtful},
        {"a rule accepts all but what was dropped", dropping({drop_all, accept_all}), dropped},
        {"some are dropped, and the policy accepts", accepting({drop_some}), passed},
        {"some are dropped before a rule accepts some", dropping({drop_some, accept_some}), doubtful},
        {"some leave before a rule accepts some", dropping({leave_some, accept_some}), doubtful},
        {"a rule drops all", accepting({drop_all}), dropped},
        {"a rule drops what those before do not accept", accepting({accept_some, drop_all}), doubtful},
        {"what is only logged", dropping({go_on}), dropped},
        {"known connections go on", dropping({accept_known}), dropped},
        {"a rule that is not understood", dropping({not_known}), doubtful},
        {"a rule that is not understood, and the policy accepts", accepting({not_known}), passed},
        {"all leave the chain before it accepts", dropping({leave, accept_all}), dropped},
        {"some leave the chain before it accepts", dropping({leave_some, accept_all}), passed},
        {"a chain accepts all", dropping({jump}, {accept_all}), passed},
        {"a chain that some go through accepts all", dropping({jump_some}, {accept_all}), doubtful},
        {"a chain that accepts none", dropping({jump}, {drop_some, leave}), dropped},
        {"a chain drops all", accepting({jump}, {drop_all}), dropped},
        {"a chain comes back", dropping({jump, accept_all}, {leave}), passed},
        {"a chain comes back to a rule that drops all", accepting({jump, drop_all}, {leave}), dropped},
        {"an empty chain comes back", dropping({jump, accept_all}), passed},
        {"a chain that drops all does not come back", dropping({jump, accept_all}, {drop_all}), dropped},
        {"one that is gone to does not come back", dropping({go_to, accept_all}, {leave}), dropped},
        {"one that is gone to accepts", dropping({go_to}, {accept_all}), passed},
        {"one that is gone to leaves it to the policy", accepting({go_to, drop_all}, {leave}), passed},
        {"a circle, which no kernel has", dropping({jump}, {jump, jump}), doubtful},
        {"marked packets", dropping({jump}, {accept_marked}), doubtful},
        {"packets that kube-proxy has marked", dropping({jump}, {accept_marked}, "KUBE-FORWARD"), dropped},
        {"another rule of kube-proxy's", dropping({jump}, {accept_some}, "KUBE-FORWARD"), doubtful},
        {"Docker, and kube-proxy", of_docker_and_kube_proxy(), dropped},
        {"a rule for another link", dropping({{.in = link("docker0"), .target = Target::accept}}), dropped},
        {"a rule for all but another link", dropping({{.in = link("! docker0"), .target = Target::accept}}),
         passed},
        {"rules for the pods' bridge",
         dropping({{.in = link("v-net+"), .target = Target::accept},
                   {.out = link("v-net-0"), .target = Target::accept}}),
         passed},
        {"a rule for what pods send, and none for what they get",
         dropping({{.in = link("v-net-0"), .target = Target::accept}}), doubtful},
        {"a rule for what pods get by another link",
         dropping({{.in = link("eth1"), .out = link("v-net-0"), .target = Target::accept}}), dropped},
    };
    for (const Case& c : cases) {
        CAPTURE(c.title);
        CHECK(static_cast<int>(fate_of_pods(c.table, ways)) == static_cast<int>(c.fate));
    }
}

TEST_CASE("a rule for some link may be for one that is not known", "[doctor][legacy]")
{
    const std::vector<ForwardWay> unknown = {{"", "eth0"}, {"eth0", ""}};
    CHECK(fate_of_pods(dropping({{.in = link("veth+"), .target = Target::accept}}), unknown) ==
          ForwardFate::doubtful);
    CHECK(fate_of_pods(dropping({{.in = link("docker0"), .out = link("docker0"), .target = Target::accept}}),
                       unknown) == ForwardFate::dropped);
    CHECK(fate_of_pods(dropping({{.out = link("eth0"), .target = Target::accept}}), unknown) ==
          ForwardFate::doubtful); // what comes in
    CHECK(fate_of_pods(dropping({accept_all}), unknown) == ForwardFate::passed);
    CHECK(fate_of_pods(dropping({}), unknown) == ForwardFate::dropped);
}

TEST_CASE("chains as deep as no kernel's are walked through, and promise nothing", "[doctor][legacy]")
{
    LegacyTable deep{.name = "filter", .drops = true};
    for (std::size_t chain = 0; chain < 100'000; ++chain)
        deep.chains.push_back({"", {to(Target::jump, chain + 1), to(Target::jump, chain + 1)}});
    deep.chains.push_back({"", {}});
    CHECK(fate_of_pods(deep, ways) == ForwardFate::doubtful);
    deep.chains.resize(30);
    deep.chains.push_back({"", {}});
    CHECK(fate_of_pods(deep, ways) == ForwardFate::dropped);
}
