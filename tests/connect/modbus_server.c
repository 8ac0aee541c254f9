/* A real Modbus server (libmodbus) for tests, told what to do line by line.
 *
 * `modbus_server tcp PORT` or `modbus_server rtu LINE UNIT` prints `ready`; each line it then reads
 * is one of the words in `told` below, and is answered with `done` or what was asked for.
 */
#include <errno.h>
#include <modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

#define SIZE 1000
#define MANY 64

static modbus_t *context;
static modbus_mapping_t *map;
static int forbidden[MANY][2], forbiddens;
static int most = 2000, refusal, mute = -1, is_plain, late, requests, written;

static int number(const char *text) { return text ? (int)strtol(text, NULL, 0) : 0; }

static void set(const char *table, int address, int value) {
  if (!strcmp(table, "coil")) map->tab_bits[address] = value;
  if (!strcmp(table, "discrete")) map->tab_input_bits[address] = value;
  if (!strcmp(table, "holding")) map->tab_registers[address] = value;
  if (!strcmp(table, "input")) map->tab_input_registers[address] = value;
}

static int get(const char *table, int address) {
  if (!strcmp(table, "coil")) return map->tab_bits[address];
  return map->tab_registers[address];
}

/* One line. */
static void told(char *line) {
  char *word = strtok(line, " "), *first = strtok(NULL, " "), *second = strtok(NULL, " "), *third = strtok(NULL, " ");
  int answer = -1;
  if (!word) return;
  if (!strcmp(word, "set")) set(first, number(second), number(third)); /* TABLE ADDRESS VALUE */
  if (!strcmp(word, "get")) answer = get(first, number(second)); /* TABLE ADDRESS */
  if (!strcmp(word, "forbid")) { /* FIRST LAST: these registers and bits are not there */
    forbidden[forbiddens % MANY][0] = number(first);
    forbidden[forbiddens++ % MANY][1] = number(second);
  }
  if (!strcmp(word, "allow")) forbiddens = 0; /* all are there again */
  if (!strcmp(word, "most")) most = number(first); /* N: longer requests are refused */
  if (!strcmp(word, "refuse")) refusal = number(first); /* CODE: all requests are; 0 for none */
  if (!strcmp(word, "mute")) mute = number(first); /* UNIT is silent; 0: all; -1: none */
  if (!strcmp(word, "plain")) is_plain = number(first); /* 1: no function 6 */
  if (!strcmp(word, "late")) late = number(first); /* MS: the next answer comes that much later */
  if (!strcmp(word, "requests")) answer = requests;
  if (!strcmp(word, "written")) answer = written; /* how many requests wanted to write */
  if (answer >= 0) printf("%d\n", answer);
  else printf("done\n");
  fflush(stdout);
}

static int is_forbidden(int first, int count) {
  for (int i = 0; i < forbiddens && i < MANY; i++)
    if (first <= forbidden[i][1] && forbidden[i][0] < first + count) return 1;
  return 0;
}

/* One request, as it came. */
static void answer(const uint8_t *query, int length) {
  int at = modbus_get_header_length(context);
  int unit = query[at - 1], function = query[at];
  int first = query[at + 1] << 8 | query[at + 2];
  int is_one = function == 5 || function == 6;
  int count = is_one ? 1 : query[at + 3] << 8 | query[at + 4];
  requests++;
  if (function >= 5) written++;
  if (mute == 0 || mute == unit) return;
  if (late) usleep(late * 1000), late = 0;
  if (refusal) modbus_reply_exception(context, query, refusal);
  else if (is_plain && function == 6) modbus_reply_exception(context, query, MODBUS_EXCEPTION_ILLEGAL_FUNCTION);
  else if (is_forbidden(first, count)) modbus_reply_exception(context, query, MODBUS_EXCEPTION_ILLEGAL_DATA_ADDRESS);
  else if (count > most) modbus_reply_exception(context, query, MODBUS_EXCEPTION_ILLEGAL_DATA_VALUE);
  else modbus_reply(context, query, length, map);
}

/* Words that stand on our input; false at its end. */
static int listen_to_words(void) {
  static char held[4096];
  static size_t size;
  ssize_t got = read(0, held + size, sizeof held - size - 1);
  if (got <= 0) return 0;
  size += got;
  held[size] = 0;
  char *end;
  while ((end = strchr(held, '\n'))) {
    char line[256];
    *end = 0;
    snprintf(line, sizeof line, "%s", held);
    size -= end + 1 - held;
    memmove(held, end + 1, size + 1);
    told(line);
  }
  return 1;
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  int is_tcp = !strcmp(argv[1], "tcp"), server = -1;
  fd_set watched;
  FD_ZERO(&watched);
  FD_SET(0, &watched);
  map = modbus_mapping_new(SIZE, SIZE, SIZE, SIZE);
  if (is_tcp) {
    context = modbus_new_tcp("127.0.0.1", number(argv[2]));
    server = modbus_tcp_listen(context, 8);
    if (server < 0) return perror("listen"), 1;
    FD_SET(server, &watched);
  } else {
    context = modbus_new_rtu(argv[2], 19200, 'E', 8, 1);
    modbus_set_slave(context, argc > 3 ? number(argv[3]) : 1);
    if (modbus_connect(context)) return perror("connect"), 1;
    FD_SET(modbus_get_socket(context), &watched);
  }
  printf("ready\n");
  fflush(stdout);
  for (;;) {
    fd_set ready = watched;
    if (select(FD_SETSIZE, &ready, NULL, NULL, NULL) < 0) {
      if (errno == EINTR) continue;
      return 1;
    }
    if (FD_ISSET(0, &ready) && !listen_to_words()) return 0;
    if (server >= 0 && FD_ISSET(server, &ready)) {
      int client = modbus_tcp_accept(context, &server);
      if (client >= 0) FD_SET(client, &watched);
    }
    for (int file = 3; file < FD_SETSIZE; file++) {
      if (file == server || !FD_ISSET(file, &ready)) continue;
      uint8_t query[MODBUS_MAX_ADU_LENGTH];
      if (is_tcp) modbus_set_socket(context, file);
      int length = modbus_receive(context, query);
      if (length > 0) answer(query, length);
      else if (length < 0 && is_tcp) close(file), FD_CLR(file, &watched);
    }
  }
}
