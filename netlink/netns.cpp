#include "netlink/netns.h"
