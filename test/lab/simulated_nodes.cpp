#include "test/lab/simulated_nodes.h"

#include "test/lab/protobuf.h"
#include "test/lab/reads.h"
#include "test/lab/realistic_node.h"

#include <cstdio>
#include <stdexcept>
#include <utility>

namespace routelet::lab {
namespace {

constexpr std::size_t piece_size = 256U << 10U; // bytes, at least
constexpr int own_metadata_last = 6;            // the number of resourceVersion: the others come behind it
constexpr int status_addresses = 5;             // the number of addresses
constexpr std::uint32_t first_pod_range = 0x0a000000;
constexpr std::uint32_t first_address = 0xac100100; // 172.16.1.0

// "10.0.1.64"
std::string ipv4(std::uint32_t number)
{
    std::string text;
    for (unsigned shift = 24; shift < 32; shift -= 8)
        text += std::to_string(number >> shift & 255U) + (shift == 0 ? "" : ".");
    return text;
}

// What is a node's own.
struct Own {
    explicit Own(std::size_t index)
        : version(std::to_string(index + 2)),
          pod_cidr(ipv4(first_pod_range + 64 * static_cast<std::uint32_t>(index)) + "/26"),
          address(ipv4(first_address + static_cast<std::uint32_t>(index)))
    {
        char buffer[64];
        std::snprintf(buffer, sizeof buffer, "node-%06zu.example.internal", index);
        name = buffer;
        std::snprintf(buffer, sizeof buffer, "5eed0000-0000-4000-8000-%012zx", index);
        uid = buffer;
    }

    std::string name;
    std::string uid;
    std::string version;
    std::string pod_cidr;
    std::string address;
};

// Some members of an object, as they stand between its braces.
std::string members(const OrderedJson& object, const std::vector<const char*>& names)
{
    OrderedJson some = OrderedJson::object();
    for (const char* name : names)
        some[name] = object.at(name);
    const std::string text = some.dump();
    return text.substr(1, text.size() - 2);
}

} // namespace

SimulatedNodes::SimulatedNodes(std::size_t count, std::size_t bytes) : count_(count)
{
    if (count > limit)
        throw std::invalid_argument("at most " + std::to_string(limit) + " nodes can be simulated");
    const OrderedJson node = realistic_node(bytes);
    const OrderedJson& status = node.at("status");
    json_ = {.metadata = members(node.at("metadata"),
                                 {"creationTimestamp", "labels", "annotations", "managedFields"}),
             .before_addresses = members(status, {"capacity", "allocatable", "conditions"}),
             .behind_addresses = members(status, {"daemonEndpoints", "nodeInfo", "images"})};

    const Json sorted = Json::parse(node.dump());
    protobuf_ = {
        .metadata = encoded(node_metadata_message(), sorted.at("metadata"), own_metadata_last + 1),
        .before_addresses = encoded(node_status_message(), sorted.at("status"), 1, status_addresses - 1),
        .behind_addresses = encoded(node_status_message(), sorted.at("status"), status_addresses + 1)};
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t size = protobuf(i).size();
        protobuf_size_ += field_head(2, size).size() + size;
    }
}

Reply SimulatedNodes::list(const Json& metadata, const std::vector<Object>& nodes, Form form) const
{
    Reply reply{.content_type = std::string(content_type(form))};
    std::string tail;
    if (form == Form::protobuf) {
        const std::string head = encoded_node_list(metadata, nodes);
        reply.body = protobuf_body_head("NodeList", head.size() + protobuf_size_) + head;
        tail = protobuf_body_tail;
    } else {
        reply.body = list_text("Node", metadata, nodes);
        tail = reply.body.substr(reply.body.size() - 2); // "]}"
        reply.body.resize(reply.body.size() - 2);
    }
    std::size_t next = 0;
    bool needs_comma = !nodes.empty();
    reply.more = [this, form, tail, next, needs_comma]() mutable {
        std::string piece;
        piece.reserve(piece_size * 5 / 4);
        while (next < count_ && piece.size() < piece_size) {
            if (form == Form::json && std::exchange(needs_comma, true))
                piece += ',';
            append_item(piece, next++, form);
        }
        if (next == count_)
            piece += std::exchange(tail, {});
        return piece;
    };
    return reply;
}

std::string SimulatedNodes::added(std::size_t index, Form form) const
{
    if (form == Form::protobuf)
        return protobuf_event("ADDED", protobuf_body("Node", protobuf(index)));
    return R"({"type":"ADDED","object":{"kind":"Node","apiVersion":"v1",)" + json(index).substr(1) + "}\n";
}

void SimulatedNodes::append_item(std::string& out, std::size_t index, Form form) const
{
    if (form == Form::json) {
        out += json(index);
        return;
    }
    const std::string message = protobuf(index);
    out.append(field_head(2, message.size())).append(message);
}

std::string SimulatedNodes::json(std::size_t index) const
{
    const Own own(index);
    std::string text = R"({"metadata":{"name":")" + own.name + R"(","uid":")" + own.uid +
                       R"(","resourceVersion":")" + own.version + R"(",)";
    text.reserve(text.size() + json_.metadata.size() + json_.before_addresses.size() +
                 json_.behind_addresses.size() + 512);
    text.append(json_.metadata);
    text.append(R"(},"spec":{"podCIDR":")" + own.pod_cidr + R"(","podCIDRs":[")" + own.pod_cidr +
                R"("],"providerID":"example://)" + own.name + R"("},"status":{)");
    text.append(json_.before_addresses);
    text.append(R"(,"addresses":[{"type":"InternalIP","address":")" + own.address +
                R"("},{"type":"Hostname","address":")" + own.name + R"("}],)");
    return text.append(json_.behind_addresses).append("}}");
}

std::string SimulatedNodes::protobuf(std::size_t index) const
{
    const Own own(index);
    const std::string metadata = encoded(
        node_metadata_message(), {{"name", own.name}, {"uid", own.uid}, {"resourceVersion", own.version}}, 1,
        own_metadata_last);
    const std::string spec = encoded(
        node_spec_message(),
        {{"podCIDR", own.pod_cidr}, {"podCIDRs", {own.pod_cidr}}, {"providerID", "example://" + own.name}});
    const Json addresses = {{{"type", "InternalIP"}, {"address", own.address}},
                            {{"type", "Hostname"}, {"address", own.name}}};
    const std::string between =
        encoded(node_status_message(), {{"addresses", addresses}}, status_addresses, status_addresses);
    std::string message = field_head(1, metadata.size() + protobuf_.metadata.size());
    message.reserve(message.size() + metadata.size() + spec.size() + between.size() +
                    protobuf_.metadata.size() + protobuf_.before_addresses.size() +
                    protobuf_.behind_addresses.size() + 32);
    message.append(metadata).append(protobuf_.metadata);
    message.append(field_head(2, spec.size())).append(spec);
    message.append(field_head(3, protobuf_.before_addresses.size() + between.size() +
                                     protobuf_.behind_addresses.size()));
    return message.append(protobuf_.before_addresses).append(between).append(protobuf_.behind_addresses);
}

} // namespace routelet::lab
