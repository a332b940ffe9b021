/* SPDX-License-Identifier: MIT */
/* specflag - the values of qrun's options, in docker's spelling, put into a spec
 *
 * Each parses one value and changes the spec, or fails with -EINVAL (or what the host says about a file that is
 * named) and text that names the value. Values of lists add up. */
#ifndef ENGINE_SPECFLAG_H
#define ENGINE_SPECFLAG_H

#include "engine/spec.h"

int specflag_env(struct spec *s, const char *value); /* KEY=VALUE, or KEY: the caller's, if set */
int specflag_env_file(
	struct spec *s, const char *file); /* lines of these; "#" begins a comment line */
int specflag_workdir(struct spec *s, const char *value);
int specflag_volume(struct spec *s, const char *value); /* SOURCE:TARGET[:OPTIONS], both absolute */
int specflag_mount(struct spec *s, const char *value);  /* type=bind|tmpfs,source=,target=,... */
int specflag_tmpfs(struct spec *s, const char *value);  /* TARGET[:OPTIONS] */
int specflag_shm_size(struct spec *s, const char *value);
int specflag_device(struct spec *s, const char *value); /* HOST[:PATH][:rwm] */
int specflag_ulimit(struct spec *s, const char *value); /* NAME=SOFT[:HARD], -1: unlimited */
int specflag_sysctl(
	struct spec *s, const char *value); /* KEY=VALUE of a namespace of the container */
int specflag_security(struct spec *s, const char *value); /* no-new-privileges, seccomp=..., ... */
int specflag_cap(struct spec *s, const char *value, bool add); /* a name, or ALL */
int specflag_memory(struct spec *s, const char *value);
int specflag_memory_swap(struct spec *s, const char *value); /* with memory; -1: unlimited */
int specflag_memory_reservation(struct spec *s, const char *value);
int specflag_cpus(struct spec *s, const char *value); /* 1.5 */
int specflag_cpu_shares(struct spec *s, const char *value);
int specflag_cpuset(struct spec *s, const char *value);
int specflag_pids(struct spec *s, const char *value); /* -1 or 0: unlimited */
int specflag_stop_signal(struct spec *s, const char *value);
int specflag_seconds(int *out, const char *value);
int specflag_oom_score(struct spec *s, const char *value); /* -1000 to 1000 */

#endif
