#pragma once
#include "test/lab/api.h"
#include "test/support/catch.h"

#include <string>
#include <vector>

// The lab's API without a connection, for tests that look at answers.
namespace routelet::lab {

inline const User admin{.name = "admin", .groups = {"system:masters"}};
inline const User agent{.name = "agent", .groups = {"routelet:agents"}};

// An administrator's.
inline Request request_of(const std::string& target, const std::string& accept = {})
{
    Request request;
    request.method = "GET";
    request.accept = accept;
    request.user = admin;
    set_target(request, target);
    return request;
}

struct Answered {
    unsigned status;
    Json body;
};

struct Fixture {
    Store store{};
    ReadRules rules = {};
    Api api{store, rules};

    Answer raw(const std::string& method, const std::string& target, const std::string& body = {},
               const std::string& type = "application/json", const User& user = admin,
               const std::string& accept = {})
    {
        Request request;
        request.method = method;
        set_target(request, target);
        request.body = body;
        request.content_type = type;
        request.accept = accept;
        request.user = user;
        return api.answer(request, false);
    }
    Answer get(const std::string& target, const std::string& accept)
    {
        return api.answer(request_of(target, accept), false);
    }
    Answered ask(const std::string& method, const std::string& target, const std::string& body = {},
                 const std::string& type = "application/json", const User& user = admin,
                 const std::string& accept = {})
    {
        const Answer answer = raw(method, target, body, type, user, accept);
        const auto& reply = std::get<Reply>(answer);
        return {reply.status, Json::parse(reply.body)};
    }
    void add(const std::string& name, const std::string& label = "x")
    {
        const std::string body =
            R"({"metadata":{"name":")" + name + R"(","labels":{"l":")" + label + R"("}}})";
        REQUIRE(ask("POST", "/api/v1/nodes", body).status == 201);
    }
    std::vector<std::string> frames(WatchFeed& feed)
    {
        std::vector<std::string> types;
        for (const Frame& frame : feed.next()) {
            const Json event = Json::parse(frame.text);
            types.push_back(text_at(event, {"type"}) + " " + text_at(event, {"object", "metadata", "name"}));
        }
        return types;
    }
};

using Texts = std::vector<std::string>;

} // namespace routelet::lab
