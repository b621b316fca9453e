#pragma once
#include "test/lab/api.h"
#include "test/lab/kind.h"

namespace routelet::lab {

// GET. Each throws Refusal.
Reply read_one(const Store& store, const Kind& kind, const std::string& key, const Request& request);
// Also a watch, with watch=1. `collection` ends with a slash: "nodes/", "events/default/".
Answer read_many(const Store& store, const ReadRules& rules, const Kind& kind, const std::string& collection,
                 const Request& request, bool patient);

// A list of this kind in JSON. Written by hand because Json would sort kind and metadata behind the items,
// which the real server does not; items carry no kind and apiVersion of their own.
std::string list_text(const std::string& kind, const Json& metadata, const std::vector<Object>& objects);

// The form of an answer about objects of this kind. Throws Refusal 406.
Form form_for(const Kind& kind, const Request& request);

// An object in the form that the client wants.
Reply object_reply(const Kind& kind, const Json& object, Form form, unsigned status = 200);

} // namespace routelet::lab
