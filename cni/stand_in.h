#pragma once

namespace routelet::cni {

// Child processes that wait in the kernel in our stead. Such a one ends by itself, and its new parent, as a
// rule the machine's init, reaps it. Call with one thread only.

// In the child: none of our files stays open but those before `first`, since a runtime reads its pipes until
// nobody has them open.
void close_all_from(int first);

// Has a child do the last close(2) of `file`, where that one waits for what is no matter of ours: once this
// process has ended. Where no process can be made nothing happens, and whoever closes it waits.
void close_elsewhere(int file);

} // namespace routelet::cni
