/* SPDX-License-Identifier: MIT */
/* crilog - unit test: write, rotate, lose, read back, follow */
#include "service/crilog.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/time.h"
#include "kernel/fd.h"
#include "unit.h"

static struct crilog writer; /* as in a monitor: not on the stack */
static int dir;

static void put(enum crilog_stream stream, const char *text)
{
	crilog_write(&writer, stream, text, strlen(text));
}

static void clean(void)
{
	unlinkat(dir, "log", 0);
	unlinkat(dir, "log.1", 0);
}

static void put_file(const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK(fd >= 0 && fd_write(fd, text, strlen(text)) == 0);
	close(fd);
}

static off_t size_of(const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, 0) == 0 ? st.st_size : -1;
}

/* What the container printed, as each stream got it. */
static struct buf seen[3];
static int gaps, missing; /* and what it says is lost */

static int collect(void *ctx, const struct crilog_record *record)
{
	(void)ctx;
	if (record->gap) {
		gaps++;
		missing += atoi(record->text + strlen("qbox: "));
		return 0;
	}
	buf_add(&seen[record->stream], record->text, record->len);
	if (!record->partial)
		buf_putc(&seen[record->stream], '\n');
	return 0;
}

static int read_all(int64_t tail, int64_t since)
{
	struct crilog_query q = { .tail = tail, .since = since, .until = -1 };

	gaps = missing = 0;
	buf_clear(&seen[1]);
	buf_clear(&seen[2]);
	return crilog_read(dir, &q, collect, NULL);
}

/* --- writing --- */

static void test_records(void)
{
	auto_buf struct buf text = { 0 }, rest = { 0 };
	struct stat st;

	unit_case("writes a line as one record, a piece without newline at once");
	crilog_init(&writer, dir);
	put(CRILOG_STDOUT, "one\ntw");
	put(CRILOG_STDERR, "err\n");
	put(CRILOG_STDOUT, "o\n\n");
	CHECK(fd_read_file(dir, "log", &text, 10000) == 0);
	CHECK(fstatat(dir, "log", &st, 0) == 0 && (st.st_mode & 07777) == 0600);
	for (const char *at = buf_str(&text); *at; at = strchr(at, '\n') + 1) {
		char stamp[31] = "";
		int64_t ns;

		memcpy(stamp, at, 30);
		CHECK(stamp[29] == 'Z' && stamp[19] == '.' && time_parse(stamp, &ns) == 0);
		buf_add(&rest, at + 30, strcspn(at + 30, "\n") + 1);
	}
	CHECK_STR(buf_str(&rest),
		" stdout F one\n stdout P tw\n stderr F err\n stdout F o\n stdout F \n");
	CHECK(read_all(-1, INT64_MIN) == 0);
	CHECK_STR(buf_str(&seen[1]), "one\ntwo\n\n");
	CHECK_STR(buf_str(&seen[2]), "err\n");
	crilog_close(&writer);

	unit_case("goes on in the file of an earlier run");
	crilog_init(&writer, dir);
	put(CRILOG_STDOUT, "again\n");
	crilog_close(&writer);
	CHECK(read_all(1, INT64_MIN) == 0);
	CHECK_STR(buf_str(&seen[1]), "again\n");
	CHECK(read_all(-1, INT64_MIN) == 0);
	CHECK_STR(buf_str(&seen[1]), "one\ntwo\n\nagain\n");
	clean();
}

static void test_bytes(void)
{
	static char big[3 * CRILOG_PIECE + 5];
	auto_buf struct buf text = { 0 };
	size_t longest = 0;

	unit_case("keeps every byte, cuts at 8 KiB");
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7 % 256);
	crilog_init(&writer, dir);
	crilog_write(&writer, CRILOG_STDOUT, big, sizeof(big));
	memset(big, 'x', sizeof(big));
	big[CRILOG_PIECE] = '\n';
	crilog_write(&writer, CRILOG_STDERR, big, sizeof(big));
	crilog_write(&writer, CRILOG_STDERR, "", 0);
	crilog_close(&writer);
	CHECK(read_all(-1, INT64_MIN) == 0);
	CHECK(seen[2].len == sizeof(big) && memcmp(seen[2].data, big, sizeof(big)) == 0);
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7 % 256);
	CHECK(seen[1].len == sizeof(big) && memcmp(seen[1].data, big, sizeof(big)) == 0);
	CHECK(fd_read_file(dir, "log", &text, 100000) == 0);
	for (char *at = text.data, *end;
		(end = memchr(at, '\n', text.len - (size_t)(at - text.data))); at = end + 1)
		if ((size_t)(end - at) > longest)
			longest = (size_t)(end - at);
	CHECK(longest == CRILOG_PIECE + 40);
	clean();
}

static void test_rotation(void)
{
	char line[64];
	int want = 0, first;

	unit_case("rotates between records, keeps two files of bounded size");
	crilog_init(&writer, dir);
	writer.limit = 2000;
	for (int i = 0; i < 100; i++) {
		snprintf(line, sizeof(line), "line %d\n", i);
		put(CRILOG_STDOUT, line);
	}
	CHECK(size_of("log") > 0 && size_of("log") <= 2000);
	CHECK(size_of("log.1") > 1900 && size_of("log.1") <= 2000);
	CHECK(read_all(-1, INT64_MIN) == 0);
	first = atoi(buf_str(&seen[1]) + 5);
	CHECK(first > 0 && first < 60);
	for (const char *at = buf_str(&seen[1]); *at; at = strchr(at, '\n') + 1)
		CHECK(atoi(at + 5) == first + want++);
	CHECK(first + want == 100);

	unit_case("counts the tail across both files");
	want = (int)(size_of("log") / 48) + 3;
	CHECK(read_all(want, INT64_MIN) == 0);
	CHECK(atoi(buf_str(&seen[1]) + 5) == 100 - want);
	CHECK(read_all(0, INT64_MIN) == 0 && seen[1].len == 0);
	CHECK(read_all(100000, INT64_MIN) == 0 && atoi(buf_str(&seen[1]) + 5) == first);

	unit_case("rotates when told to, survives a log that was removed");
	crilog_rotate(&writer);
	CHECK(size_of("log") == 0 && size_of("log.1") > 0);
	clean();
	crilog_rotate(&writer);
	put(CRILOG_STDOUT, "after\n");
	CHECK(read_all(-1, INT64_MIN) == 0);
	CHECK_STR(buf_str(&seen[1]), "after\n");
	crilog_close(&writer);
	clean();
}

/* The limit on the size of a file stands for a full disk: it makes short writes, too. */
static void test_loss(void)
{
	struct rlimit old, low = { .rlim_cur = 200, .rlim_max = RLIM_INFINITY };

	unit_case("counts what cannot be written and says so when it can");
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	low.rlim_max = old.rlim_max;
	crilog_init(&writer, dir);
	put(CRILOG_STDOUT, "first\n");
	CHECK(setrlimit(RLIMIT_FSIZE, &low) == 0);
	for (int i = 0; i < 10; i++)
		put(CRILOG_STDERR, "0123456789 0123456789 0123456789 0123456789\n");
	CHECK(size_of("log") <= 200);
	CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
	put(CRILOG_STDOUT, "second\n");
	crilog_close(&writer);
	CHECK(read_all(-1, INT64_MIN) == 0 && gaps > 0);
	CHECK_STR(buf_str(&seen[1]), "first\nsecond\n");
	/* Nothing is lost twice and nothing without a word. */
	CHECK(missing == 440 - (int)seen[2].len && missing > 300);
	clean();

	unit_case("also without a directory, and at the end");
	{
		int gone;

		CHECK(mkdirat(dir, "sub", 0700) == 0);
		gone = openat(dir, "sub", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		CHECK(gone >= 0 && unlinkat(dir, "sub", AT_REMOVEDIR) == 0);
		crilog_init(&writer, gone);
		put(CRILOG_STDOUT, "lost\n");
		CHECK(writer.lost == 5);
		crilog_close(&writer);
		close(gone);
	}
	CHECK(mkdirat(dir, "log", 0700) == 0);
	crilog_init(&writer, dir);
	put(CRILOG_STDOUT, "lost\n");
	CHECK(unlinkat(dir, "log", AT_REMOVEDIR) == 0);
	crilog_close(&writer);
	CHECK(read_all(-1, INT64_MIN) == 0 && gaps == 1);
	clean();

	unit_case("never follows a link, ends a torn record");
	CHECK(symlinkat("elsewhere", dir, "log") == 0);
	crilog_init(&writer, dir);
	put(CRILOG_STDOUT, "x\n");
	CHECK(size_of("elsewhere") == -1 && writer.lost == 2);
	crilog_close(&writer);
	clean();
	put_file("log", "2026-11-24T08:00:00.123456789Z stdout F to");
	crilog_init(&writer, dir);
	put(CRILOG_STDOUT, "rn\n");
	crilog_close(&writer);
	CHECK(read_all(-1, INT64_MIN) == 0);
	CHECK_STR(buf_str(&seen[1]), "to\nrn\n");
	clean();
}

/* --- reading --- */

static bool parses(const char *line)
{
	struct crilog_record record;

	return crilog_parse(line, strlen(line), &record);
}

static void test_parse(void)
{
	struct crilog_record r;
	static const char good[] = "2026-11-24T08:00:00.123456789Z stderr P a b";
	static const char *const bad[] = { "", " ", "x", " stdout F x", "2026-11-24T08:00:00Z",
		"2026-11-24T08:00:00Z ", "2026-11-24T08:00:00Z stdout",
		"2026-11-24T08:00:00Z stdout F", "2026-11-24T08:00:00Z stdout X text",
		"2026-11-24T08:00:00Z stdin F text", "2026-11-24T08:00:00Z  stdout F text",
		"2026-11-24 08:00:00Z stdout F text", "2026-13-24T08:00:00Z stdout F text",
		"2026-11-24T08:00:00.1234567890123456789012345678901234567890Z stdout F text" };

	unit_case("parses a record");
	CHECK(crilog_parse(good, strlen(good), &r));
	CHECK(r.stream == CRILOG_STDERR && r.partial && !r.gap && r.len == 3 &&
		memcmp(r.text, "a b", 3) == 0 && r.stamp_len == 30 && r.time % 1000 == 789);
	CHECK(parses("2026-11-24T08:00:00Z stdout F ") &&
		parses("2026-11-24T08:00:00Z stderr G x"));

	unit_case("refuses what is none");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK(!parses(bad[i]));
	CHECK(!crilog_parse("2026-11-24T08:00:00Z\0 stdout F x", 32, &r));
	CHECK_STR(fail_text(), "");
}

static void test_damage(void)
{
	auto_buf struct buf text = { 0 };

	unit_case("leaves out what is no record");
	buf_puts(&text, "\n\nrubbish\n2026-11-24T08:00:00Z stdout F one\n");
	for (int i = 0; i < 30000; i++)
		buf_putc(&text, (char)(i % 251 == 10 ? 11 : i % 251));
	buf_puts(&text, "\n2026-11-24T08:00:01Z stdout F two\n2026-11-24T08:00:02Z stdout F torn");
	buf_putc(&text, '\0');
	put_file("log", buf_str(&text));
	{
		int fd = openat(dir, "log", O_WRONLY | O_TRUNC | O_CLOEXEC);

		CHECK(fd_write(fd, text.data, text.len - 1) == 0);
		close(fd);
	}
	CHECK(read_all(-1, INT64_MIN) == 0);
	CHECK_STR(buf_str(&seen[1]), "one\ntwo\n");
	CHECK(read_all(1, INT64_MIN) == 0);
	CHECK_STR(buf_str(&seen[1]), "two\n");
	clean();

	unit_case("no log is empty, a link or a FIFO is refused");
	CHECK(read_all(-1, INT64_MIN) == 0 && seen[1].len == 0);
	CHECK(mkfifoat(dir, "log", 0600) == 0);
	CHECK(read_all(-1, INT64_MIN) == -EINVAL);
	clean();
	CHECK(symlinkat("/etc/passwd", dir, "log") == 0);
	CHECK(read_all(-1, INT64_MIN) == -ELOOP);
	clean();
}

static int stop_at_two(void *ctx, const struct crilog_record *record)
{
	(void)record;
	return ++*(int *)ctx == 2 ? 7 : 0;
}

static void test_choice(void)
{
	struct crilog_query q = { .tail = -1, .since = INT64_MIN, .until = -1 };
	int64_t ns;
	int n = 0;

	unit_case("gives what is new enough");
	put_file("log.1", "2026-11-24T08:00:00Z stdout F a\n2026-11-24T08:00:01Z stdout F b\n");
	put_file("log",
		"2026-11-24T08:00:02Z stderr P c\n2026-11-24T08:00:03Z stdout F d\n"
		"2026-11-24T08:00:04Z stderr F c\n");
	CHECK(time_parse("2026-11-24T08:00:01Z", &ns) == 0);
	CHECK(read_all(-1, ns) == 0);
	CHECK_STR(buf_str(&seen[1]), "b\nd\n");
	CHECK(read_all(-1, ns + 1) == 0);
	CHECK_STR(buf_str(&seen[1]), "d\n");

	unit_case("counts lines, not pieces");
	CHECK(read_all(2, INT64_MIN) == 0);
	CHECK_STR(buf_str(&seen[1]), "d\n");
	CHECK_STR(buf_str(&seen[2]), "cc\n");
	CHECK(read_all(1, INT64_MIN) == 0);
	CHECK(seen[2].len == 0);

	unit_case("stops when told to");
	CHECK(crilog_read(dir, &q, stop_at_two, &n) == 7 && n == 2);
	clean();
}

static void test_since(void)
{
	static const struct {
		const char *text;
		int64_t want; /* -1: refused */
	} table[] = {
		{ "2026-11-24T08:00:00Z", 1795507200 * NS_PER_S },
		{ "2026-11-24T08:00:00", 1795507200 * NS_PER_S },
		{ "2026-11-24T10:00:00+02:00", 1795507200 * NS_PER_S },
		{ "2026-11-24T06:00:00.5-02:00", 1795507200 * NS_PER_S + 500000000 },
		{ "2026-11-24", 1795478400 * NS_PER_S },
		{ "1795507200", 1795507200 * NS_PER_S },
		{ "1795507200.25", 1795507200 * NS_PER_S + 250000000 },
		{ "0", 0 },
		{ "10m", 1795507200 * NS_PER_S - 600 * NS_PER_S },
		{ "1h30m", 1795507200 * NS_PER_S - 5400 * NS_PER_S },
		{ "", -1 },
		{ ".", -1 },
		{ "1.2.3", -1 },
		{ "1.123456789.", -1 },
		{ "99999999999999999999", -1 },
		{ "2026-11-31", -1 },
		{ "2026-11-24T", -1 },
		{ "2026-11-24x08:00:00", -1 },
		{ "yesterday", -1 },
		{ "-5m", -1 },
		{ "2026-11-24T08:00:00.000000000000000000000000000000000000000000000000000001",
			-1 },
	};

	unit_case("reads what --since takes");
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		int64_t got = 0;
		int r = crilog_parse_since(table[i].text, 1795507200 * NS_PER_S, &got);

		if (table[i].want < 0 ? r >= 0 : r < 0 || got != table[i].want)
			printf("# '%s': %d, %" PRId64 "\n", table[i].text, r, got);
		CHECK(table[i].want < 0 ? r < 0 : r == 0 && got == table[i].want);
	}
}

static void test_follow(void)
{
	struct crilog_query q = { .tail = -1, .since = INT64_MIN, .follow = true };
	int p[2], status, next = 0;
	pid_t pid;

	unit_case("follows across rotations, up to what is there at the end");
	buf_clear(&seen[1]);
	gaps = missing = 0;
	CHECK(pipe2(p, O_CLOEXEC) == 0);
	pid = fork();
	if (pid == 0) {
		char line[64];

		close(p[0]);
		crilog_init(&writer, dir);
		writer.limit = 8000;
		for (int i = 0; i < 400; i++) {
			snprintf(line, sizeof(line), "line %d\n", i);
			put(CRILOG_STDOUT, line);
			if (i % 20 == 0)
				usleep(1000);
		}
		crilog_close(&writer);
		_exit(0);
	}
	close(p[1]);
	q.until = p[0];
	CHECK(crilog_read(dir, &q, collect, NULL) == 0);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	for (const char *at = buf_str(&seen[1]); *at; at = strchr(at, '\n') + 1)
		CHECK(atoi(at + 5) == next++);
	CHECK(next == 400);
	close(p[0]);
	clean();
}

int main(void)
{
	char path[] = "/tmp/qbox-crilog.XXXXXX";

	CHECK(mkdtemp(path));
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	test_records();
	test_bytes();
	test_rotation();
	test_loss();
	test_parse();
	test_damage();
	test_choice();
	test_since();
	test_follow();
	buf_free(&seen[1]);
	buf_free(&seen[2]);
	close(dir);
	rmdir(path);
	return unit_end();
}
