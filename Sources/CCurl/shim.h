#include <curl/curl.h>
#include <sys/socket.h>

// Swift cannot call variadic C functions: one wrapper for each type of argument.
static inline CURLcode bh_curl_set_long(CURL *handle, CURLoption option, long value) {
  return curl_easy_setopt(handle, option, value);
}
static inline CURLcode bh_curl_set_pointer(CURL *handle, CURLoption option, const void *value) {
  return curl_easy_setopt(handle, option, value);
}
typedef size_t (*bh_curl_write)(char *bytes, size_t size, size_t count, void *context);
static inline CURLcode bh_curl_set_write(CURL *handle, CURLoption option, bh_curl_write function) {
  return curl_easy_setopt(handle, option, function);
}
static inline CURLcode bh_curl_set_progress(CURL *handle, curl_xferinfo_callback function, void *context) {
  CURLcode code = curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, function);
  if (code == CURLE_OK) code = curl_easy_setopt(handle, CURLOPT_XFERINFODATA, context);
  if (code == CURLE_OK) code = curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  return code;
}
static inline CURLcode bh_curl_get_long(CURL *handle, CURLINFO info, long *value) {
  return curl_easy_getinfo(handle, info, value);
}
static inline CURLcode bh_curl_get_pointer(CURL *handle, CURLINFO info, void *value) {
  return curl_easy_getinfo(handle, info, value);
}
static inline CURLMcode bh_curl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
  return curl_multi_setopt(multi, option, value);
}
// The part of a finished transfer that matters; Swift does not see the union in CURLMsg.
static inline int bh_curl_message_result(const CURLMsg *message, CURLcode *result) {
  if (message->msg != CURLMSG_DONE) return 0;
  *result = message->data.result;
  return 1;
}
// curl_global_init is asked for everything; CURL_GLOBAL_DEFAULT is a macro.
static inline CURLcode bh_curl_global_init(void) { return curl_global_init(CURL_GLOBAL_DEFAULT); }
// libcurl opens its sockets so that a child process inherits them, which would keep a connection open that we closed.
static inline curl_socket_t bh_curl_open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
  (void)context;
  (void)purpose;
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}
static inline CURLcode bh_curl_close_on_exec(CURL *handle) {
  return curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, bh_curl_open_socket);
}
