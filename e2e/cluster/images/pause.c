/* The process that holds a pod's namespaces: it does nothing, ends when asked, and waits for orphans. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void down(int number) {
    (void)number;
    _exit(0);
}

static void reap(int number) {
    (void)number;
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
}

int main(void) {
    struct sigaction children = {.sa_handler = reap, .sa_flags = SA_NOCLDSTOP};
    signal(SIGINT, down);
    signal(SIGTERM, down);
    sigaction(SIGCHLD, &children, NULL);
    for (;;) pause();
}
