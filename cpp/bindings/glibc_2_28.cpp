// Lets a wheel that is built on a newer Linux run on glibc 2.28 (manylinux_2_28). What the code and
// the static libstdc++ take from newer versions of glibc is given here, hidden in the module; the
// old versions that it calls are in every later glibc.
#include "glibc_2_28.hpp"

#if defined(__linux__) && defined(__GLIBC__) && (defined(__x86_64__) || defined(__aarch64__))
// musl has no versions.

#include <pthread.h>
#include <stdint.h>
#include <sys/random.h>

#define HIDDEN __attribute__((visibility("hidden")))
#if defined(__aarch64__)
#define FIRST "GLIBC_2.17"
#else
#define FIRST "GLIBC_2.2.5"
#endif

extern "C" {

// 2.32: tells inline code that it may spare atomics. 0: there may be other threads.
HIDDEN char __libc_single_threaded = 0;

// 2.34 moved these into libc.
int old_pthread_once(pthread_once_t*, void (*)());
int old_pthread_key_create(pthread_key_t*, void (*)(void*));
__asm__(".symver old_pthread_once,pthread_once@" FIRST);
__asm__(".symver old_pthread_key_create,pthread_key_create@" FIRST);
int old_pthread_create(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
int old_pthread_join(pthread_t, void**);
__asm__(".symver old_pthread_create,pthread_create@" FIRST);
__asm__(".symver old_pthread_join,pthread_join@" FIRST);
HIDDEN int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*call)(void*),
                          void* argument) {
  return old_pthread_create(thread, attributes, call, argument);
}
HIDDEN int pthread_join(pthread_t thread, void** result) {
  return old_pthread_join(thread, result);
}
HIDDEN int pthread_once(pthread_once_t* once, void (*call)()) {
  return old_pthread_once(once, call);
}
HIDDEN int __pthread_key_create(pthread_key_t* key, void (*destroy)(void*)) {
  return old_pthread_key_create(key, destroy);
}

// 2.36: std::random_device, which nothing here uses.
HIDDEN uint32_t arc4random() {
  uint32_t bits = 0;
  return getentropy(&bits, sizeof bits) == 0 ? bits : 0;
}
}

#endif
