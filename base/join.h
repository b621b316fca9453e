#pragma once
#include <functional>
#include <string>
#include <string_view>

namespace routelet {

// Adds an item to a list that is one text: "a", then "a, b".
inline void append_item(std::string& list, std::string_view item, std::string_view between = ", ")
{
    if (!list.empty())
        list += between;
    list += item;
}

// Such a list of all that is in a container; of each what `text_of` makes of it.
template <class Items, class TextOf = std::identity>
std::string joined(const Items& items, std::string_view between = ", ", TextOf text_of = {})
{
    std::string list;
    for (const auto& item : items)
        append_item(list, std::invoke(text_of, item), between);
    return list;
}

} // namespace routelet
