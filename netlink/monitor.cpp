#include "netlink/monitor.h"
