#include "netlink/neighbor.h"
