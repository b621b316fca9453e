#include "controller/diagnosis/legacy_forward.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace routelet::controller {
namespace {

using netlink::LegacyChain;
using netlink::LegacyRule;
using netlink::LegacyTable;
using netlink::LinkPattern;
using Target = LegacyRule::Target;

enum class Match { never, maybe, always };

Match match_of(const LinkPattern& pattern, const std::string& link)
{
    if (link.empty() && !pattern.is_any())
        return Match::maybe;
    return pattern.matches(link) ? Match::always : Match::never;
}

// How a packet may come out of a chain.
struct Ends {
    bool accepted = false;
    bool dropped = false;
    bool left = false;

    void add(const Ends& others)
    {
        accepted |= others.accepted;
        dropped |= others.dropped;
        left |= others.left;
    }
};

// Goes through a table with a packet of which nothing is known but its links, and that it begins a
// connection.
class Walk {
public:
    // Whether rules that may match do, too, or none of these.
    enum class Doubts { counted, left_out };

    Walk(const LegacyTable& table, const ForwardWay& way, Doubts doubts)
        : table_(table), way_(way), doubts_(doubts), known_(table.chains.size())
    {
    }

    Ends ends() { return ends_of(table_.forward, 0); }

private:
    Ends ends_of(std::size_t chain, unsigned depth)
    {
        constexpr unsigned deepest = 64;
        const bool has_doubts = doubts_ == Doubts::counted;
        const Ends anyhow{.accepted = has_doubts, .dropped = has_doubts, .left = true};
        if (depth > deepest) // or in a circle
            return anyhow;
        if (!known_[chain])
            known_[chain] = ends_of_rules(table_.chains[chain], depth);
        return *known_[chain];
    }
    Ends ends_of_rules(const LegacyChain& chain, unsigned depth)
    {
        Ends ends;
        for (const LegacyRule& rule : chain.rules) {
            const Match match = match_of(rule, chain);
            if (match == Match::never || (match == Match::maybe && doubts_ == Doubts::left_out))
                continue;
            const bool goes_on = add_target(rule, ends, depth);
            if (match == Match::always && !goes_on)
                return ends;
        }
        ends.left = true;
        return ends;
    }
    Match match_of(const LegacyRule& rule, const LegacyChain& chain) const
    {
        const bool is_of_services = rule.is_for_marked && chain.name == "KUBE-FORWARD";
        const Match links =
            std::min(controller::match_of(rule.in, way_.in), controller::match_of(rule.out, way_.out));
        if (rule.is_for_known_connections || is_of_services || links == Match::never)
            return Match::never;
        return rule.has_more_conditions ? Match::maybe : links;
    }
    // Whether the rule behind may be asked, too.
    bool add_target(const LegacyRule& rule, Ends& ends, unsigned depth)
    {
        switch (rule.target) {
        case Target::pass:
            return true;
        case Target::accept:
            ends.accepted = true;
            return false;
        case Target::drop:
            ends.dropped = true;
            return false;
        case Target::leave:
            ends.left = true;
            return false;
        case Target::go_to:
            ends.add(ends_of(rule.chain, depth + 1));
            return false;
        case Target::jump: {
            Ends inner = ends_of(rule.chain, depth + 1);
            const bool comes_back = std::exchange(inner.left, false);
            ends.add(inner);
            return comes_back;
        }
        case Target::other:
            break;
        }
        if (doubts_ == Doubts::counted)
            ends.accepted = ends.dropped = true;
        return true;
    }

    const LegacyTable& table_;
    const ForwardWay& way_;
    Doubts doubts_;
    std::vector<std::optional<Ends>> known_; // by chain
};

bool may_be_accepted(const LegacyTable& table, const ForwardWay& way, Walk::Doubts doubts)
{
    const Ends ends = Walk(table, way, doubts).ends();
    return ends.accepted || (ends.left && !table.drops);
}

} // namespace

ForwardFate fate_of_pods(const LegacyTable& table, const std::vector<ForwardWay>& ways)
{
    const auto with = [&](Walk::Doubts doubts) {
        return [&table, doubts](const ForwardWay& way) { return may_be_accepted(table, way, doubts); };
    };
    if (std::ranges::all_of(ways, with(Walk::Doubts::left_out)))
        return ForwardFate::passed;
    return std::ranges::any_of(ways, with(Walk::Doubts::counted)) ? ForwardFate::doubtful
                                                                  : ForwardFate::dropped;
}

} // namespace routelet::controller
