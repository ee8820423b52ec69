/* The version that every program reports, and that core.ready carries as agent_version. */
#ifndef MSB_VERSION_H
#define MSB_VERSION_H

#define MSB_EXEC_VERSION "0.1.0"

#endif
