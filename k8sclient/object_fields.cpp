#include "k8sclient/object_fields.h"

#include <array>
#include <utility>

namespace routelet::k8s {
namespace {

struct Member {
    Place container;
    std::string_view key;
    Place member;
};

constexpr std::array members = {
    Member{Place::frame, "type", Place::frame_type},
    Member{Place::frame, "object", Place::object},
    Member{Place::object, "kind", Place::kind},
    Member{Place::object, "metadata", Place::metadata},
    Member{Place::object, "spec", Place::spec},
    Member{Place::object, "status", Place::status},
    Member{Place::object, "items", Place::items},
    Member{Place::object, "code", Place::code},
    Member{Place::object, "reason", Place::reason},
    Member{Place::object, "message", Place::message},
    Member{Place::object, "details", Place::details},
    Member{Place::item, "metadata", Place::metadata},
    Member{Place::item, "spec", Place::spec},
    Member{Place::item, "status", Place::status},
    Member{Place::metadata, "name", Place::name},
    Member{Place::metadata, "uid", Place::uid},
    Member{Place::metadata, "creationTimestamp", Place::created},
    Member{Place::metadata, "resourceVersion", Place::version},
    Member{Place::metadata, "continue", Place::continue_token},
    Member{Place::metadata, "annotations", Place::annotations},
    Member{Place::annotations, "k8s.io/initial-events-end", Place::initial_events_end},
    Member{Place::spec, "podCIDR", Place::pod_cidr},
    Member{Place::spec, "podCIDRs", Place::pod_cidrs},
    Member{Place::status, "addresses", Place::addresses},
    Member{Place::address, "type", Place::address_type},
    Member{Place::address, "address", Place::address_text},
    Member{Place::status, "conditions", Place::conditions},
    Member{Place::condition, "type", Place::condition_type},
    Member{Place::condition, "status", Place::condition_status},
    Member{Place::condition, "reason", Place::condition_reason},
    Member{Place::details, "causes", Place::causes},
    Member{Place::cause, "reason", Place::cause_reason},
    Member{Place::cause, "message", Place::cause_message},
};

} // namespace

Place member_of(Place container, std::string_view key) noexcept
{
    for (const Member& member : members)
        if (member.container == container && member.key == key)
            return member.member;
    return Place::skipped;
}

Place element_of(Place container) noexcept
{
    switch (container) {
    case Place::items:
        return Place::item;
    case Place::pod_cidrs:
        return Place::pod_cidrs_entry;
    case Place::addresses:
        return Place::address;
    case Place::conditions:
        return Place::condition;
    case Place::causes:
        return Place::cause;
    default:
        return Place::skipped;
    }
}

void ObjectFields::begin(Place place)
{
    switch (place) {
    case Place::object:
    case Place::item:
        *this = {};
        break;
    case Place::metadata:
        for (const Place member : {Place::name, Place::uid, Place::created, Place::version,
                                   Place::continue_token, Place::annotations})
            begin(member);
        break;
    case Place::annotations:
        initial_events_end_.clear();
        break;
    case Place::spec:
        pod_cidr_.clear();
        object_.node.pod_cidrs.clear();
        break;
    case Place::pod_cidrs:
        object_.node.pod_cidrs.clear();
        break;
    case Place::pod_cidrs_entry:
        object_.node.pod_cidrs.emplace_back();
        break;
    case Place::status:
        begin(Place::addresses);
        begin(Place::conditions);
        break;
    case Place::addresses:
        object_.node.internal_ips.clear();
        break;
    case Place::address:
        address_type_.clear();
        address_text_.clear();
        break;
    case Place::conditions:
        object_.node.network_unavailable = {};
        break;
    case Place::condition:
        condition_type_.clear();
        condition_ = {};
        break;
    case Place::details:
    case Place::causes:
        object_.status.version_too_large = false;
        break;
    case Place::cause:
        cause_reason_.clear();
        cause_message_.clear();
        break;
    case Place::code:
        object_.status.code = 0;
        break;
    default:
        if (std::string* text = text_at(place))
            text->clear();
    }
}

std::string* ObjectFields::text_at(Place place)
{
    if (object_.node.is_oversized && place != Place::name && place != Place::version && place != Place::kind)
        return nullptr;
    switch (place) {
    case Place::kind:
        return &object_.kind;
    case Place::reason:
        return &object_.status.reason;
    case Place::message:
        return &object_.status.message;
    case Place::name:
        return &object_.node.name;
    case Place::uid:
        return &object_.node.uid;
    case Place::created:
        return &object_.node.created;
    case Place::version:
        return &object_.version;
    case Place::continue_token:
        return &object_.continue_token;
    case Place::initial_events_end:
        return &initial_events_end_;
    case Place::pod_cidr:
        return &pod_cidr_;
    case Place::pod_cidrs_entry:
        return &object_.node.pod_cidrs.back();
    case Place::address_type:
        return &address_type_;
    case Place::address_text:
        return &address_text_;
    case Place::condition_type:
        return &condition_type_;
    case Place::condition_status:
        return &condition_.status;
    case Place::condition_reason:
        return &condition_.reason;
    case Place::cause_reason:
        return &cause_reason_;
    case Place::cause_message:
        return &cause_message_;
    default:
        return nullptr;
    }
}

void ObjectFields::end(Place place)
{
    if (place == Place::pod_cidrs_entry && object_.node.pod_cidrs.back().empty())
        object_.node.pod_cidrs.pop_back(); // null, or not a text
    if (place == Place::address && address_type_ == "InternalIP" && !address_text_.empty())
        object_.node.internal_ips.push_back(address_text_);
    if (place == Place::condition && condition_type_ == "NetworkUnavailable")
        object_.node.network_unavailable = condition_;
    // Servers before 1.19 name it in the message only.
    if (place == Place::cause &&
        (cause_reason_ == "ResourceVersionTooLarge" || cause_message_ == "Too large resource version"))
        object_.status.version_too_large = true;
}

Object ObjectFields::take()
{
    Object object = std::exchange(object_, {});
    Node& node = object.node;
    if (node.is_oversized) {
        node = Node{.name = std::move(node.name), .is_oversized = true};
        return object;
    }
    if (node.pod_cidrs.empty() && !pod_cidr_.empty())
        node.pod_cidrs.push_back(pod_cidr_);
    object.ends_initial_events = initial_events_end_ == "true";
    return object;
}

} // namespace routelet::k8s
