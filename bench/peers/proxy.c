// Delays the bytes of TCP connections by a constant time in each direction, counts them, and cuts connections.
//
//   proxy DELAY_US TARGET_PORT...
//
// It listens on one port of 127.0.0.1 for each target and prints these ports. Each target is a route, counted from 0. It
// then reads commands, one on each line, and answers each with one line of JSON:
//
//   stats            CPU time and delays in microseconds, and bytes by route, all since the start
//   cut ROUTE WAY    closes the connections of a route; WAY is the direction that loses its bytes first: 1 discards
//                    replies of requests that the server executes, 0 discards requests
//
// It is written in C because a proxy in Node would need more CPU than the server and become the bottleneck.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { ROUTES = 64, PIECE = 65536, EVENTS = 256, EARLY_NS = 50000 };
enum kind { LISTENER, TIMER, COMMANDS, CLIENT, SERVER };

struct link;
struct source {
  enum kind kind;
  int fd, route;
  struct link *link;
};
/** A client's connection with its own connection to the server. `lost[way]` is set if that direction is discarded. */
struct link {
  struct source ends[2]; // client, server
  int lost[2], queued, is_dead;
  struct link *next, *next_dead;
};
/** Bytes that wait for their time; none if the sender has closed, or if the connection is cut (`way` is -1). */
struct piece {
  int64_t arrived;
  struct link *link;
  struct piece *next;
  int way, size;
  char bytes[];
};

static struct source listeners[ROUTES], timer = { .kind = TIMER }, commands = { .kind = COMMANDS };
static int targets[ROUTES], routes, poller;
static int64_t delay, moved[ROUTES][2], pieces, waited, blocked;
static struct piece *first, **last = &first;
static struct link *links, *dead;

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void watch(struct source *source) {
  epoll_ctl(poller, EPOLL_CTL_ADD, source->fd, &(struct epoll_event){ .events = EPOLLIN, .data.ptr = source });
}

static void arm(void) {
  int64_t due = first->arrived + delay;
  struct itimerspec at = { .it_value = { .tv_sec = due / 1000000000, .tv_nsec = due % 1000000000 } };
  timerfd_settime(timer.fd, TFD_TIMER_ABSTIME, &at, NULL);
}

static void enqueue(struct link *link, int way, const char *bytes, int size) {
  struct piece *piece = malloc(sizeof *piece + size);
  *piece = (struct piece){ .arrived = now(), .link = link, .way = way, .size = size };
  memcpy(piece->bytes, bytes, size);
  link->queued++;
  int is_first = first == NULL;
  *last = piece;
  last = &piece->next;
  if (is_first) arm();
}

static void shut(struct source *end) {
  if (end->fd >= 0) close(end->fd);
  end->fd = -1;
}

/** Closes both ends if nothing can pass any more. The memory is freed after the current events. */
static void bury(struct link *link) {
  if (link->is_dead || (link->ends[0].fd >= 0 && link->ends[1].fd >= 0)) return;
  if (link->ends[1].fd >= 0 || link->queued > 0) return;
  shut(&link->ends[0]);
  link->is_dead = 1;
  link->next_dead = dead;
  dead = link;
}

static void release_dead(void) {
  for (struct link *link; (link = dead) != NULL; free(link)) {
    dead = link->next_dead;
    struct link **place = &links;
    while (*place != link) place = &(*place)->next;
    *place = link->next;
  }
}

/** Ends the client's side of a connection, so that the server still executes all it has received. */
static void leave(struct link *link) {
  shut(&link->ends[0]);
  link->lost[1] = 1;
  if (link->ends[1].fd >= 0) shutdown(link->ends[1].fd, SHUT_WR);
}

static void deliver(struct piece *piece) {
  struct link *link = piece->link;
  struct source *to = &link->ends[piece->way == 0];
  if (piece->way < 0) leave(link);
  else if (piece->size == 0 && to->fd >= 0) shutdown(to->fd, SHUT_WR);
  for (int sent = 0; sent < piece->size && to->fd >= 0 && !link->lost[piece->way];) {
    ssize_t size = send(to->fd, piece->bytes + sent, piece->size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size >= 0) sent += size;
    else if (errno == EAGAIN) {
      blocked++;
      poll(&(struct pollfd){ .fd = to->fd, .events = POLLOUT }, 1, 1000);
    } else if (piece->way == 0) shut(to), leave(link);
    else shut(to);
  }
  if (piece->size > 0) {
    pieces++;
    waited += now() - piece->arrived;
  }
  link->queued--;
  bury(link);
}

static void deliver_due(void) {
  uint64_t ticks;
  int64_t time = read(timer.fd, &ticks, sizeof ticks) < 0 ? 0 : now() + EARLY_NS; // fewer timers
  for (struct piece *piece; (piece = first) != NULL && piece->arrived + delay <= time; free(piece)) {
    first = piece->next;
    if (first == NULL) last = &first;
    deliver(piece);
  }
  if (first != NULL) arm();
}

static void receive(struct source *source) {
  static char bytes[PIECE];
  struct link *link = source->link;
  int way = source->kind == SERVER;
  if (source->fd < 0) return;
  ssize_t size = recv(source->fd, bytes, PIECE, MSG_DONTWAIT);
  if (size < 0 && errno == EAGAIN) return;
  if (size > 0) {
    moved[source->route][way] += size;
    if (!link->lost[way]) enqueue(link, way, bytes, size);
    return;
  }
  epoll_ctl(poller, EPOLL_CTL_DEL, source->fd, NULL);
  if (way == 1) shut(source);
  enqueue(link, way == 1 ? -1 : way, "", 0);
}

static int local_socket(int port, int is_listener) {
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  int result = is_listener ? bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 1024)
                           : connect(fd, (struct sockaddr *)&address, sizeof address);
  if (result == 0) return fd;
  close(fd);
  return -1;
}

static void accept_client(struct source *listener) {
  int on = 1, client = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC), route = listener->route;
  int server = client < 0 ? -1 : local_socket(targets[route], 0);
  if (server < 0 && client >= 0) close(client);
  if (server < 0) return;
  setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct link *link = calloc(1, sizeof *link);
  link->ends[0] = (struct source){ .kind = CLIENT, .fd = client, .route = route, .link = link };
  link->ends[1] = (struct source){ .kind = SERVER, .fd = server, .route = route, .link = link };
  link->next = links;
  links = link;
  watch(&link->ends[0]);
  watch(&link->ends[1]);
}

static void print_stats(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  int64_t seconds = used.ru_utime.tv_sec + used.ru_stime.tv_sec;
  int64_t cpu = seconds * 1000000 + used.ru_utime.tv_usec + used.ru_stime.tv_usec;
  printf("{\"cpu\":%ld,\"pieces\":%ld,\"waited\":%ld,\"blocked\":%ld,\"bytes\":[", cpu, pieces, waited / 1000, blocked);
  for (int i = 0; i < routes; i++) printf(i > 0 ? ",%ld" : "%ld", moved[i][0] + moved[i][1]);
  printf("]}\n");
}

static void command(void) {
  static char line[256];
  if (fgets(line, sizeof line, stdin) == NULL) exit(0); // the bench has ended
  int route, way, cut = 0;
  if (sscanf(line, "cut %d %d", &route, &way) == 2) {
    for (struct link *link = links; link != NULL; link = link->next) {
      if (link->ends[0].route != route || link->ends[0].fd < 0 || link->lost[way & 1]) continue;
      link->lost[way & 1] = 1;
      enqueue(link, -1, "", 0);
      cut++;
    }
    printf("%d\n", cut);
  } else print_stats();
  fflush(stdout);
}

int main(int count, char **words) {
  setvbuf(stdin, NULL, _IONBF, 0);
  poller = epoll_create1(EPOLL_CLOEXEC);
  timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  delay = count > 1 ? atoll(words[1]) * 1000 : 0;
  watch(&timer);
  watch(&commands);
  for (routes = 0; routes < count - 2 && routes < ROUTES; routes++) {
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    targets[routes] = atoi(words[routes + 2]);
    listeners[routes] = (struct source){ .kind = LISTENER, .fd = local_socket(0, 1), .route = routes };
    getsockname(listeners[routes].fd, (struct sockaddr *)&address, &size);
    watch(&listeners[routes]);
    printf("%d\n", ntohs(address.sin_port));
  }
  fflush(stdout);
  for (;;) {
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(poller, events, EVENTS, -1);
    for (int i = 0; i < ready; i++) {
      struct source *source = events[i].data.ptr;
      if (source->kind == LISTENER) accept_client(source);
      else if (source->kind == TIMER) deliver_due();
      else if (source->kind == COMMANDS) command();
      else receive(source);
    }
    release_dead();
  }
}
