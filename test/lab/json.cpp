#include "test/lab/json.h"

namespace routelet::lab {
namespace {

const Json null;
const Json empty_list = Json::array();

} // namespace

const Json& at_path(const Json& object, std::initializer_list<std::string_view> path)
{
    const Json* here = &object;
    for (const std::string_view step : path) {
        if (!here->is_object())
            return null;
        const auto found = here->find(std::string(step));
        if (found == here->end())
            return null;
        here = &*found;
    }
    return *here;
}

std::string text_at(const Json& object, std::initializer_list<std::string_view> path)
{
    const Json& value = at_path(object, path);
    return value.is_string() ? value.get<std::string>() : std::string();
}

const Json& list_at(const Json& object, std::initializer_list<std::string_view> path)
{
    const Json& value = at_path(object, path);
    return value.is_array() || value.is_object() ? value : empty_list;
}

std::string to_text(const Json& value)
{
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

} // namespace routelet::lab
