#include <microhttpd.h>

// Swift cannot call variadic C functions: one wrapper for each set of options and each question.

// A daemon whose loop is the caller's, on epoll: the caller polls its descriptor and calls MHD_run.
static inline struct MHD_Daemon *bh_mhd_start(
    int listen_socket, MHD_AccessHandlerCallback handle, void *handle_context,
    void *(*on_uri)(void *context, const char *uri, struct MHD_Connection *connection), void *uri_context,
    MHD_RequestCompletedCallback on_completed, MHD_NotifyConnectionCallback on_connection, void *completed_context,
    unsigned int connections_max, unsigned int timeout_seconds, size_t memory_bytes) {
  return MHD_start_daemon(
      MHD_USE_EPOLL | MHD_ALLOW_UPGRADE | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, handle, handle_context,
      MHD_OPTION_LISTEN_SOCKET, listen_socket, MHD_OPTION_URI_LOG_CALLBACK, on_uri, uri_context,
      MHD_OPTION_NOTIFY_COMPLETED, on_completed, completed_context, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
      completed_context, MHD_OPTION_CONNECTION_LIMIT, connections_max,
      MHD_OPTION_CONNECTION_TIMEOUT, timeout_seconds, MHD_OPTION_CONNECTION_MEMORY_LIMIT, memory_bytes,
      MHD_OPTION_END);
}

static inline int bh_mhd_epoll_descriptor(struct MHD_Daemon *daemon) {
  const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
  return info == NULL ? -1 : info->epoll_fd;
}

static inline unsigned int bh_mhd_connection_count(struct MHD_Daemon *daemon) {
  const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
  return info == NULL ? 0 : info->num_connections;
}

static inline int bh_mhd_socket(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  return info == NULL ? -1 : info->connect_fd;
}

// A response of unknown length that `read` gives by pieces.
static inline struct MHD_Response *bh_mhd_stream(
    MHD_ContentReaderCallback read, void *context, MHD_ContentReaderFreeCallback free) {
  return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16 << 10, read, context, free);
}

static inline void bh_mhd_upgrade_close(struct MHD_UpgradeResponseHandle *handle) {
  MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
}
