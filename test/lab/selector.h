#pragma once
#include "test/lab/json.h"

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace routelet::lab {

// Which objects a list or a watch is about: labelSelector and fieldSelector of the API.
//
// Labels: "a=b", "a==b", "a!=b", "a", "!a", "a in (x,y)", "a notin (x,y)", joined by commas
// (k8s.io/apimachinery/pkg/labels). Fields: "metadata.name=x", "!=" too.
class Selector {
public:
    Selector() = default; // everything

    // Throws Refusal 400 for a text that cannot be read, or a field not among `fields`.
    static Selector parse(std::string_view labels, std::string_view fields,
                          const std::set<std::string, std::less<>>& known_fields);

    bool matches(const Json& object) const;

private:
    struct Term {
        enum class What { in, not_in, exists, absent };
        std::string key;
        What what = What::in;
        std::set<std::string> values;

        bool accepts(const Json& value) const; // null: there is none
    };
    static Term label_term(std::string_view text);
    static Term comparison(std::string_view text, std::size_t at);

    std::vector<Term> labels_;
    std::vector<Term> fields_;
};

} // namespace routelet::lab
