/* A tank that is filled and leaks. Above 2 m a valve opens and it leaks at twice the rate, until it
   is below 1.5 m. The parameter `fault` makes it misbehave once it has run for 2 s. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>
#include <signal.h>

enum { TIME, INFLOW, AREA, LEAK, FAULT, LEVEL, SLOPE, OUTFLOW, OPEN, PROBE };

typedef struct {
  double time, inflow, area, leak, level;
  int fault, open, probe;
} Tank;

static void tank_usual(Tank *t) {
  memset(t, 0, sizeof *t);
  t->area = 1.0; t->leak = 0.1; t->level = 1.0;
}

static double tank_outflow(const Tank *t) { return t->leak * (t->open ? 2 : 1) * t->level; }
static double tank_slope(const Tank *t) { return (t->inflow - tank_outflow(t)) / t->area; }
static double tank_indicator(const Tank *t) { return t->level - (t->open ? 1.5 : 2.0); }
static void tank_event(Tank *t) {
  if (!t->open && t->level >= 2.0) t->open = 1;
  else if (t->open && t->level <= 1.5) t->open = 0;
}

/* What a sandbox must keep from it: one bit for each thing that worked. */
static int tank_probe(void) {
  int found = 0;
  FILE *file;
  if (socket(AF_INET, SOCK_STREAM, 0) >= 0) found |= 1;
  if ((file = fopen("/etc/passwd", "r"))) found |= 2;
  if ((file = fopen("/tmp/gemel-written-by-a-model", "w"))) found |= 4;
  if (kill(getppid(), 0) == 0) found |= 8;
  int status = 1;
  pid_t pid = fork();
  if (pid == 0) { execl("/bin/true", "true", (char *)0); _exit(1); }
  if (pid > 0) {
    found |= 16;
    if (waitpid(pid, &status, 0) == pid && status == 0) found |= 32;
  } else {
    execl("/bin/true", "true", (char *)0); /* in place of the process, were it let */
  }
  return found;
}

/* Returns 0 where the model refuses to go on. */
static int tank_misbehave(Tank *t) {
  if (t->time < 2.0) return 1;
  if (t->fault == 1) *(volatile int *)0 = 1;
  if (t->fault == 2) for (volatile int i = 0;; i++) {}
  if (t->fault == 3) t->probe = tank_probe();
  if (t->fault == 4) for (;;) { char *p = malloc(1 << 26); if (!p) abort(); memset(p, 1, 1 << 26); }
  if (t->fault == 5) return 0;
  if (t->fault == 6) exit(3);
  return 1;
}

static int tank_step(Tank *t, double seconds) {
  if (!tank_misbehave(t)) return 0;
  for (int i = 0; i < 1000; i++) {
    t->level += seconds / 1000 * tank_slope(t);
    tank_event(t);
  }
  t->time += seconds;
  return 1;
}

static double tank_get(const Tank *t, unsigned vr) {
  switch (vr) {
    case TIME: return t->time;
    case INFLOW: return t->inflow;
    case AREA: return t->area;
    case LEAK: return t->leak;
    case LEVEL: return t->level;
    case SLOPE: return tank_slope(t);
    case OUTFLOW: return tank_outflow(t);
    default: return 0;
  }
}

static void tank_set(Tank *t, unsigned vr, double value) {
  switch (vr) {
    case INFLOW: t->inflow = value; break;
    case AREA: t->area = value; break;
    case LEAK: t->leak = value; break;
    case LEVEL: t->level = value; break;
  }
}
