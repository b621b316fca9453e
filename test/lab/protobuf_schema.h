#pragma once
#include <string_view>
#include <vector>

namespace routelet::lab {

struct Message;

// One member of a message: as k8s.io/api/core/v1/generated.proto and apimachinery's meta/v1/generated.proto
// (1.34) number it, under the name that JSON has for it.
struct Field {
    enum class Type {
        text,      // string
        integer,   // int32, int64
        boolean,   // bool
        time,      // meta/v1 Time: seconds and nanos; RFC 3339 in JSON
        fields_v1, // meta/v1 FieldsV1: JSON text in a message of its own
        quantity,  // resource Quantity: the text in a message of its own
        message,
    };
    enum class Shape {
        always, // a value of Go's: written even when there is nothing in it
        if_set, // a pointer of Go's
        list,
        map, // by texts
    };

    int number;
    std::string_view name;
    Type type = Type::text;
    Shape shape = Shape::always;
    const Message* message = nullptr; // for Type::message
};

// Its members by ascending number, the order in which Go's generated code writes them.
struct Message {
    std::vector<Field> fields;
};

const Message& node_message();
const Message& node_metadata_message();
const Message& node_spec_message();
const Message& node_status_message();
const Message& status_message();        // meta/v1 Status
const Message& list_metadata_message(); // meta/v1 ListMeta; a list is {1: this, 2: items}

} // namespace routelet::lab
