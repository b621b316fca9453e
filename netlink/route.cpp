#include "netlink/route.h"
