/* The least that a server can do with a load: takes MQTT clients in, acknowledges their QoS 1
 * messages and forgets them all. What it costs is what the system asks of anybody.
 *
 * Prints its port, and once the last client has gone the number of messages and when (s since 1970)
 * the last of them came. Linux; one thread, one epoll descriptor. `bare MS` lets messages come
 * together for so long before it reads again, where few sockets had something: fewer reads.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 256, READ = 65536, CLIENTS = 65536, KEPT = 4096 };

static struct {
    size_t length;
    unsigned char bytes[KEPT];
} *kept[CLIENTS]; /* the beginning of a packet whose rest has not come */

static long messages;
static double last;

/* Answers what is at `at`; how long it is, 0 while it is not whole. */
static size_t
packet(int client, const unsigned char *at, size_t size)
{
    size_t length = 0, here = 1;
    for (int shift = 0; here < size; shift += 7) {
        length |= (size_t)(at[here] & 127) << shift;
        if (at[here++] < 128) {
            if (size - here < length)
                return 0;
            if (at[0] >> 4 == 1)
                send(client, "\x20\x02\0\0", 4, MSG_NOSIGNAL);
            if (at[0] >> 4 == 3)
                messages++;
            if (at[0] >> 4 == 3 && at[0] & 6) {
                const unsigned char *id = at + here + 2 + (at[here] << 8 | at[here + 1]);
                unsigned char answer[4] = {0x40, 2, id[0], id[1]};
                send(client, answer, 4, MSG_NOSIGNAL);
            }
            return here + length;
        }
    }
    return 0;
}

static int
receive(int client)
{
    static unsigned char buffer[KEPT + READ];
    size_t size = kept[client]->length, at = 0, one;
    memcpy(buffer, kept[client]->bytes, size);
    ssize_t got = recv(client, buffer + size, READ, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return 1;
    if (got <= 0)
        return 0;
    size += (size_t)got;
    while (at < size && (one = packet(client, buffer + at, size - at)))
        at += one;
    if (size - at > KEPT)
        return 0;
    kept[client]->length = size - at;
    memcpy(kept[client]->bytes, buffer + at, size - at);
    return 1;
}

int
main(int argc, char **argv)
{
    useconds_t pause = argc > 1 ? (useconds_t)atoi(argv[1]) * 1000 : 0;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int door = socket(AF_INET, SOCK_STREAM, 0), poll = epoll_create1(0), yes = 1, clients = 0;
    if (bind(door, (void *)&address, size) || listen(door, 1024) ||
        getsockname(door, (void *)&address, &size))
        return 1;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = door}, events[EVENTS];
    epoll_ctl(poll, EPOLL_CTL_ADD, door, &event);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    int count = EVENTS;
    do {
        if (pause && messages && count < EVENTS)
            usleep(pause);
        count = epoll_wait(poll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            int one = events[i].data.fd;
            if (one == door) {
                if ((one = accept(door, NULL, NULL)) < 0 || one >= CLIENTS)
                    return 1;
                setsockopt(one, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
                if ((kept[one] = calloc(1, sizeof **kept)) == NULL)
                    return 1;
                event.data.fd = one;
                epoll_ctl(poll, EPOLL_CTL_ADD, one, &event);
                clients++;
                continue;
            }
            long before = messages;
            if (!receive(one)) {
                close(one);
                clients--;
            }
            if (messages > before) {
                struct timespec now;
                clock_gettime(CLOCK_REALTIME, &now);
                last = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
            }
        }
    } while (clients || !messages);
    printf("%ld %.6f\n", messages, last);
    fflush(stdout);
    getchar(); /* until its figures were looked at */
    return 0;
}
