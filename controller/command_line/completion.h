#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace routelet::controller {

// "bash", "zsh" and "fish".
const std::vector<std::string>& completion_shells();

// The script by which that shell completes the command line of `app`: its commands, and of each the options,
// the values of those that have few, and names of files and folders. Pure; all it knows is what --help says.
// An option takes a file when its type is FILE, a folder when it is DIR, and one of a few values when it was
// given CLI::IsMember; so does an argument. One whose type is NODE takes the name of a Node, and so does an
// argument that is called so, be it among others: ADDRESS|NODE. Which Nodes there are the script asks of
// `status -o name`, by the program of that name that the shell finds, for two seconds at most; of the options
// on the line it passes on where the agent is.
//
// Requires: one of completion_shells(), and names of commands and options that need no quotes.
std::string completion_script(const CLI::App& app, std::string_view shell);

} // namespace routelet::controller
