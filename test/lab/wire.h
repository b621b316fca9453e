#pragma once
#include "k8sclient/encoding.h"
#include "test/lab/protobuf.h"
#include "test/lab/reflection.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

// What an API server may send, put together by hand for Fault::body.
namespace routelet::test {

inline Json status(int code, const std::string& reason, const std::string& message = "a fault of the lab")
{
    return {{"kind", "Status"},   {"apiVersion", "v1"}, {"status", "Failure"},
            {"message", message}, {"reason", reason},   {"code", code}};
}

// Requires: the object's kind is Node or Status.
inline std::string body_of(Encoding encoding, const Json& object)
{
    const std::string kind = object.at("kind");
    return encoding == Encoding::json ? lab::to_text(object) : lab::to_protobuf(kind, object);
}

// An event of a watch.
inline std::string frame(Encoding encoding, const std::string& type, const Json& object)
{
    const std::string body = body_of(encoding, object);
    return encoding == Encoding::json ? R"({"type":")" + type + R"(","object":)" + body + "}\n"
                                      : lab::protobuf_event(type, body);
}

inline std::string list_of(Encoding encoding, const std::string& version, const std::vector<Json>& nodes,
                           const std::string& continue_token = {})
{
    Json metadata = {{"resourceVersion", version}};
    if (!continue_token.empty())
        metadata["continue"] = continue_token;
    if (encoding == Encoding::json)
        return lab::to_text(
            {{"kind", "NodeList"}, {"apiVersion", "v1"}, {"metadata", metadata}, {"items", nodes}});
    std::vector<lab::Object> objects;
    for (const Json& node : nodes)
        objects.push_back(std::make_shared<const Json>(node));
    return lab::node_list_to_protobuf(metadata, objects);
}

inline std::string content_type(Encoding encoding)
{
    return encoding == Encoding::json ? "application/json" : "application/vnd.kubernetes.protobuf";
}

// A response; `headers` with a line end each.
inline std::string response(Encoding encoding, const std::string& headers, const std::string& body,
                            const std::string& first_line = "HTTP/1.1 200 OK")
{
    return first_line + "\r\nContent-Type: " + content_type(encoding) + "\r\n" + headers + "\r\n" + body;
}

inline std::string length_of(const std::string& body)
{
    return "Content-Length: " + std::to_string(body.size()) + "\r\n";
}

inline std::string chunk(const std::string& bytes)
{
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string size;
    for (std::size_t left = bytes.size(); left > 0; left /= 16)
        size.insert(size.begin(), digits[left % 16]);
    return size + "\r\n" + bytes + "\r\n";
}

// What a Lab holds at first.
inline std::string list_of_both(Encoding encoding, const Lab& lab, const std::string& continue_token = {})
{
    std::vector<Json> nodes;
    for (const auto& [name, pod_cidr] : both)
        nodes.push_back(node(name, pod_cidr));
    return list_of(encoding, std::to_string(lab.server->version()), nodes, continue_token);
}

// A list is answered with these bytes, head and all, and then by the connection's end.
inline Fault raw_list(std::string bytes, Fault::Ending ending = Fault::Ending::goodbye)
{
    return {.what = Fault::What::raw,
            .requests = Fault::Requests::list,
            .body = std::move(bytes),
            .ending = ending};
}

} // namespace routelet::test
