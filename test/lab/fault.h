#pragma once
#include "test/lab/json.h"
#include "test/lab/request.h"
#include "test/lab/watch.h"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace routelet::lab {

// Something that goes wrong on purpose. As JSON (POST /lab/faults) the members have the same names,
// enumerators are texts, delay is delay_ms.
struct Fault {
    enum class What {
        refuse,       // reset the connection instead of answering
        silence,      // accept, never answer; with after_*: stop in the middle and say nothing more
        cut,          // end the connection in the middle of the body
        status,       // answer `status` with retry_after and body
        garbage,      // `body`, or bytes that are no JSON, in the middle of the body; then go on
        byte_by_byte, // each byte of the body by itself, `delay` apart
        delay,        // wait for `delay` before answering
        gone,         // watch: an ERROR event 410, then the end of the stream; others: HTTP 410
        no_bookmarks, // a watch without bookmarks
        duplicate,    // every event of a watch twice
        chunks,       // the body in HTTP chunks of `size` bytes
        content_type, // `content_type` instead of the right one
        empty_list,   // a list without items, a watch without initial events
        end,          // a watch: its proper end
        raw,          // `body` in place of the whole response, head and all; then `ending`
    };
    // Of the connection: none, or a TLS goodbye and FIN, a FIN alone, a TCP reset.
    enum class Ending { none, goodbye, fin, reset };
    enum class Requests { any, list, watch, get, write, connect }; // connect: a connection, before TLS

    What what = What::silence;
    Requests requests = Requests::any; // any: whatever is a request; not connect
    std::string target = {};           // strikes only where the request's target has this in it
    unsigned times = 1;                // requests that it strikes; 0: until healed
    std::size_t after_frames = 0;      // lines of a watch that come through first; another body is one frame
    std::size_t after_bytes = 0;       // bytes of the body (after those frames) that come through
    unsigned status = 500;
    std::string retry_after = {};
    std::string body = {};
    std::string content_type = "text/html";
    std::chrono::milliseconds delay{0};
    std::size_t size = 1; // bytes
    bool reset = true;    // cut: by a TCP reset; else by a FIN without a TLS goodbye
    Ending ending = Ending::goodbye;
};

// Throws Refusal 400 for what is no fault.
Fault fault_from_json(const Json& text);
Json to_json(const Fault& fault);

// The faults in force. The first that fits a request strikes it and is used up after `times` of them, so a
// list of faults is a script. Not thread-safe.
class FaultList {
public:
    void add(Fault fault) { faults_.push_back(std::move(fault)); }
    void clear() { faults_.clear(); }
    std::optional<Fault> strike(Fault::Requests requests, std::string_view target = {});
    Json described() const;

private:
    std::vector<Fault> faults_;
};

// The stages that a reply passes on its way from the handler to the connection.

// First: the reply as a whole (status, gone, content_type). `form`: of a Status.
Reply disturbed(const std::optional<Fault>& fault, Reply reply, Form form = Form::json);

// One thing to do with the connection.
struct Step {
    enum class Then { go_on, end, stall, reset, close }; // end: of the body, properly
    std::chrono::milliseconds pause{0};                  // before the bytes
    std::string bytes = {};                              // of the body; one HTTP chunk
    Then then = Then::go_on;
};

// Then: its body, piece by piece (all the others).
class BodyStage {
public:
    // `form`: of the ERROR event that a fault may put in.
    explicit BodyStage(std::optional<Fault> fault, Form form = Form::json)
        : fault_(std::move(fault)), form_(form)
    {
    }

    std::vector<Step> begin();                  // when the head is sent
    std::vector<Step> pass(const Frame& frame); // one line of a watch, or all of another body

private:
    bool is(Fault::What what) const { return fault_ && fault_->what == what; }
    bool is_trigger() const;
    Step triggered() const;
    std::vector<Step> pass_trigger(std::string bytes);
    std::vector<Step> in_pieces(const std::string& bytes) const;

    std::optional<Fault> fault_;
    Form form_;
    std::size_t frames_ = 0; // passed
    std::size_t bytes_ = 0;  // passed since the last of the frames that fault_ lets through
    bool fired_ = false;
};

} // namespace routelet::lab
