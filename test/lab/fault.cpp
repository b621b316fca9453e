#include "test/lab/fault.h"

#include "test/lab/api.h"
#include "test/lab/refusal.h"

#include <algorithm>
#include <array>
#include <utility>

namespace routelet::lab {
namespace {

using What = Fault::What;
using Requests = Fault::Requests;
using Ending = Fault::Ending;

constexpr std::array<std::pair<const char*, What>, 15> whats = {{{"refuse", What::refuse},
                                                                 {"silence", What::silence},
                                                                 {"cut", What::cut},
                                                                 {"status", What::status},
                                                                 {"garbage", What::garbage},
                                                                 {"byte_by_byte", What::byte_by_byte},
                                                                 {"delay", What::delay},
                                                                 {"gone", What::gone},
                                                                 {"no_bookmarks", What::no_bookmarks},
                                                                 {"duplicate", What::duplicate},
                                                                 {"chunks", What::chunks},
                                                                 {"content_type", What::content_type},
                                                                 {"empty_list", What::empty_list},
                                                                 {"end", What::end},
                                                                 {"raw", What::raw}}};

constexpr std::array<std::pair<const char*, Requests>, 6> requests_names = {{{"any", Requests::any},
                                                                             {"list", Requests::list},
                                                                             {"watch", Requests::watch},
                                                                             {"get", Requests::get},
                                                                             {"write", Requests::write},
                                                                             {"connect", Requests::connect}}};

constexpr std::array<std::pair<const char*, Ending>, 4> endings = {
    {{"none", Ending::none}, {"goodbye", Ending::goodbye}, {"fin", Ending::fin}, {"reset", Ending::reset}}};

template <class Names>
auto value_of(const Names& names, const std::string& text)
{
    for (const auto& [name, value] : names)
        if (text == name)
            return value;
    throw bad_request("no fault knows \"" + text + "\"");
}

template <class Names, class Value>
const char* name_of(const Names& names, Value value)
{
    return std::ranges::find(names, value, [](const auto& pair) { return pair.second; })->first;
}

Fault read_fault(const Json& text)
{
    Fault fault;
    fault.what = value_of(whats, text.at("what").get<std::string>());
    fault.requests = value_of(requests_names, text.value("requests", std::string("any")));
    fault.target = text.value("target", fault.target);
    fault.times = text.value("times", fault.times);
    fault.after_frames = text.value("after_frames", fault.after_frames);
    fault.after_bytes = text.value("after_bytes", fault.after_bytes);
    fault.status = text.value("status", fault.status);
    fault.retry_after = text.value("retry_after", fault.retry_after);
    fault.body = text.value("body", fault.body);
    fault.content_type = text.value("content_type", fault.content_type);
    fault.delay = std::chrono::milliseconds(text.value("delay_ms", 0));
    fault.size = std::max<std::size_t>(1, text.value("size", fault.size));
    fault.reset = text.value("reset", fault.reset);
    fault.ending = value_of(endings, text.value("ending", std::string("goodbye")));
    return fault;
}

Reply failed(const Fault& fault, Form form)
{
    Reply reply{.status = fault.status, .content_type = fault.content_type, .body = fault.body};
    if (fault.body.empty())
        reply = status_reply(status_failure(fault.status, "InternalError", "a fault of the lab"),
                             fault.status, form);
    reply.retry_after = fault.retry_after;
    return reply;
}

Refusal gone()
{
    return expired("too old resource version: a fault of the lab");
}

} // namespace

Fault fault_from_json(const Json& text)
{
    try {
        return read_fault(text);
    } catch (const Json::exception& error) {
        throw bad_request(std::string("this is no fault: ") + error.what());
    }
}

Json to_json(const Fault& fault)
{
    return {{"what", name_of(whats, fault.what)},
            {"requests", name_of(requests_names, fault.requests)},
            {"target", fault.target},
            {"times", fault.times},
            {"after_frames", fault.after_frames},
            {"after_bytes", fault.after_bytes},
            {"status", fault.status},
            {"retry_after", fault.retry_after},
            {"body", fault.body},
            {"content_type", fault.content_type},
            {"delay_ms", fault.delay.count()},
            {"size", fault.size},
            {"reset", fault.reset},
            {"ending", name_of(endings, fault.ending)}};
}

std::optional<Fault> FaultList::strike(Fault::Requests requests, std::string_view target)
{
    const auto found = std::ranges::find_if(faults_, [&](const Fault& fault) {
        return target.find(fault.target) != std::string_view::npos &&
               (fault.requests == requests ||
                (fault.requests == Requests::any && requests != Requests::connect));
    });
    if (found == faults_.end())
        return std::nullopt;
    Fault fault = *found;
    if (found->times == 1)
        faults_.erase(found);
    else if (found->times > 1)
        --found->times;
    return fault;
}

Json FaultList::described() const
{
    Json all = Json::array();
    for (const Fault& fault : faults_)
        all.push_back(to_json(fault));
    return all;
}

Reply disturbed(const std::optional<Fault>& fault, Reply reply, Form form)
{
    if (!fault)
        return reply;
    switch (fault->what) {
    case What::status:
        return failed(*fault, form);
    case What::gone:
        return refusal_reply(gone(), form);
    case What::content_type:
        reply.content_type = fault->content_type;
        return reply;
    default:
        return reply;
    }
}

std::vector<Step> BodyStage::begin()
{
    if (is_trigger() && fault_->after_frames == 0 && fault_->after_bytes == 0)
        return pass_trigger({});
    return {};
}

std::vector<Step> BodyStage::pass(const Frame& frame)
{
    if (is(What::no_bookmarks) && frame.what == Frame::What::bookmark)
        return {};
    if (is(What::duplicate) && frame.what == Frame::What::event)
        return {{.bytes = frame.text}, {.bytes = frame.text}};
    if (!is_trigger())
        return in_pieces(frame.text);
    if (fired_)
        return {{.bytes = frame.text}};
    if (frames_ < fault_->after_frames) {
        ++frames_;
        fired_ = frames_ == fault_->after_frames && fault_->after_bytes == 0;
        if (fired_)
            return {{.bytes = frame.text}, triggered()};
        return {{.bytes = frame.text}};
    }
    return pass_trigger(frame.text);
}

bool BodyStage::is_trigger() const
{
    return is(What::cut) || is(What::silence) || is(What::garbage) || is(What::gone) || is(What::end);
}

// What happens once fault_ has let through what it lets through.
Step BodyStage::triggered() const
{
    switch (fault_->what) {
    case What::cut:
        return {.bytes = {}, .then = fault_->reset ? Step::Then::reset : Step::Then::close};
    case What::gone:
        return {.bytes = error_frame(gone().status(), form_).text, .then = Step::Then::end};
    case What::end:
        return {.bytes = {}, .then = Step::Then::end};
    case What::garbage:
        return {.bytes = fault_->body.empty() ? "\x01{]garbage\n" : fault_->body};
    default:
        return {.bytes = {}, .then = Step::Then::stall};
    }
}

std::vector<Step> BodyStage::pass_trigger(std::string bytes)
{
    const std::size_t left = fault_->after_bytes - bytes_;
    if (bytes.size() < left) {
        bytes_ += bytes.size();
        return {{.bytes = std::move(bytes)}};
    }
    fired_ = true;
    return {{.bytes = bytes.substr(0, left)}, triggered(), {.bytes = bytes.substr(left)}};
}

std::vector<Step> BodyStage::in_pieces(const std::string& bytes) const
{
    if (!is(What::byte_by_byte) && !is(What::chunks))
        return {{.bytes = bytes}};
    const std::size_t size = is(What::chunks) ? fault_->size : 1;
    std::vector<Step> steps;
    for (std::size_t at = 0; at < bytes.size(); at += size)
        steps.push_back({.pause = fault_->delay, .bytes = bytes.substr(at, size)});
    return steps;
}

} // namespace routelet::lab
