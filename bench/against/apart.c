/* Sends prepared MQTT packets over many connections, each in a `send` of its own: one of every
 * connection, then the next of every one. What the system asks of a sender, and little beside.
 *
 * apart PORT CONNECTIONS GREETING LENGTH TURNS PROCESSES FILE: the file holds a CONNECT packet of
 * GREETING bytes for each connection, then for each turn a packet of LENGTH bytes for each. The
 * connections are shared out among processes. Prints `ready` when all are accepted, begins at the
 * first byte of its input, and prints the processor time in s that all of them took from then on.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static double
used(int whose)
{
    struct rusage all;
    getrusage(whose, &all);
    return (double)(all.ru_utime.tv_sec + all.ru_stime.tv_sec) +
           (double)(all.ru_utime.tv_usec + all.ru_stime.tv_usec) / 1e6;
}

static int
fail(const char *what)
{
    perror(what);
    return 1;
}

/* A connection whose CONNECT was accepted, or -1. */
static int
opened(int port, const unsigned char *greeting, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((unsigned short)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int made = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    unsigned char answer[4];
    if (connect(made, (void *)&address, sizeof address) ||
        setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) ||
        send(made, greeting, size, 0) != (ssize_t)size ||
        recv(made, answer, 4, MSG_WAITALL) != 4 || answer[0] != 0x20 || answer[3])
        return -1;
    return made;
}

int
main(int count, char **words)
{
    if (count != 8)
        return 2;
    int port = atoi(words[1]), connections = atoi(words[2]), processes = atoi(words[6]);
    size_t greeting = strtoul(words[3], NULL, 10), length = strtoul(words[4], NULL, 10);
    size_t turns = strtoul(words[5], NULL, 10), width = (size_t)connections;
    FILE *file = fopen(words[7], "r");
    const unsigned char *bytes = file == NULL ? MAP_FAILED
                                              : mmap(NULL, width * (greeting + turns * length),
                                                     PROT_READ, MAP_PRIVATE, fileno(file), 0);
    int *made = calloc(width, sizeof *made), go[2];
    if (bytes == MAP_FAILED || made == NULL || pipe(go))
        return fail(words[7]);
    for (size_t i = 0; i < width; i++)
        if ((made[i] = opened(port, bytes + i * greeting, greeting)) < 0)
            return fail("a connection was not accepted");
    bytes += width * greeting;
    for (int part = 0; part < processes; part++) {
        size_t first = width * (size_t)part / (size_t)processes;
        size_t end = width * (size_t)(part + 1) / (size_t)processes;
        if (fork())
            continue;
        close(go[1]);
        char none;
        if (read(go[0], &none, 1))
            return fail("start");
        for (size_t turn = 0; turn < turns; turn++)
            for (size_t i = first; i < end; i++) {
                const unsigned char *packet = bytes + (turn * width + i) * length;
                if (send(made[i], packet, length, MSG_NOSIGNAL) != (ssize_t)length)
                    return fail("a connection was lost");
            }
        return 0;
    }
    puts("ready");
    fflush(stdout);
    getchar();
    close(go[1]); /* all begin at once */
    int state, problem = 0;
    while (wait(&state) > 0)
        problem |= state;
    printf("%.3f\n", used(RUSAGE_CHILDREN));
    return problem != 0;
}
