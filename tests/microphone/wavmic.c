/*
 * An ALSA capture device that plays a raw S16_LE file in real time: a microphone without a sound
 * card and without a daemon.
 *
 *   cc -shared -fPIC -DPIC -O2 -o libasound_module_pcm_wavmic.so wavmic.c -lasound
 *
 * Frame 0 of the file is frame 0 of each capture; silence follows its end. It has one rate and one
 * number of channels, as hardware has. A reader who is late gets a true overrun, and afterwards
 * hears what the clock says, not what was missed.
 *
 * While the file named by `gone` exists, opening fails and a running capture dies.
 * While the file named by `stall` exists, a running capture gives no more frames.
 */
#include <alsa/asoundlib.h>
#include <alsa/pcm_external.h>
#include <limits.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS 1000000000LL
#define RETRY_NS (20 * 1000000LL)
#define BUFFER_S 2

struct microphone {
	snd_pcm_ioplug_t io;
	int timer;
	int file;
	char gone[PATH_MAX];
	char stall[PATH_MAX];
	long long opened_ns;             /* first start of this handle */
	long long started_ns;            /* last start: an overrun brings another one */
	unsigned long long first_frame;  /* of the file, at the last start */
	unsigned long long written;      /* frames put into the buffer since the last start */
	snd_pcm_uframes_t boundary;
	snd_pcm_uframes_t avail_min;
};

static long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SECOND_NS + t.tv_nsec;
}

static int exists(const char *path)
{
	return path[0] && access(path, F_OK) == 0;
}

static snd_pcm_uframes_t available(const struct microphone *mic)
{
	return (mic->written % mic->boundary + mic->boundary - mic->io.appl_ptr) % mic->boundary;
}

/* Have the timer wake the reader when avail_min frames are there. */
static void arm(struct microphone *mic)
{
	snd_pcm_uframes_t ready = available(mic);
	long long at = 1;

	if (exists(mic->stall) || exists(mic->gone))
		at = now_ns() + RETRY_NS;
	else if (ready < mic->avail_min)
		at = mic->started_ns + 20000 +
		     (long long)((mic->written + mic->avail_min - ready) * 1e9 / mic->io.rate);

	struct itimerspec when = {{0, 0}, {at / SECOND_NS, at % SECOND_NS}};
	timerfd_settime(mic->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static int on_prepare(snd_pcm_ioplug_t *io)
{
	struct microphone *mic = io->private_data;

	mic->written = 0;
	return 0;
}

static int on_start(snd_pcm_ioplug_t *io)
{
	struct microphone *mic = io->private_data;

	mic->started_ns = now_ns();
	mic->written = 0;
	if (!mic->opened_ns)
		mic->opened_ns = mic->started_ns;
	mic->first_frame = (mic->started_ns - mic->opened_ns) / 1000 * io->rate / 1000000;
	arm(mic);
	return 0;
}

static int on_stop(snd_pcm_ioplug_t *io)
{
	(void)io;
	return 0;
}

/* Fill the buffer with what the clock says has been recorded, and say how far that is. */
static snd_pcm_sframes_t on_pointer(snd_pcm_ioplug_t *io)
{
	struct microphone *mic = io->private_data;
	snd_pcm_uframes_t size = io->buffer_size, frame_bytes = 2 * io->channels;

	if (exists(mic->gone)) {
		snd_pcm_ioplug_set_state(io, SND_PCM_STATE_DISCONNECTED);
		return -ENODEV;
	}
	if (io->state != SND_PCM_STATE_RUNNING || exists(mic->stall))
		return mic->written % mic->boundary;

	unsigned long long from = mic->written;
	unsigned long long to = (now_ns() - mic->started_ns) / 1e9 * io->rate;

	mic->written = to;
	if (available(mic) > size)
		return -EPIPE;

	char *buffer = snd_pcm_ioplug_mmap_areas(io)->addr;
	while (from < to) {
		snd_pcm_uframes_t offset = from % size, run = size - offset;
		ssize_t got = 0;

		if (run > to - from)
			run = to - from;
		if (mic->file >= 0)
			got = pread(mic->file, buffer + offset * frame_bytes, run * frame_bytes,
				    (mic->first_frame + from) * frame_bytes);
		if (got < 0)
			got = 0;
		memset(buffer + offset * frame_bytes + got, 0, run * frame_bytes - got);
		from += run;
	}
	return to % mic->boundary;
}

static int on_sw_params(snd_pcm_ioplug_t *io, snd_pcm_sw_params_t *params)
{
	struct microphone *mic = io->private_data;

	snd_pcm_sw_params_get_boundary(params, &mic->boundary);
	snd_pcm_sw_params_get_avail_min(params, &mic->avail_min);
	return 0;
}

static int on_poll_descriptors(snd_pcm_ioplug_t *io, struct pollfd *poll, unsigned space)
{
	struct microphone *mic = io->private_data;

	if (space < 1)
		return 0;
	arm(mic);
	poll[0].fd = mic->timer;
	poll[0].events = POLLIN;
	poll[0].revents = 0;
	return 1;
}

static int on_poll_revents(snd_pcm_ioplug_t *io, struct pollfd *poll, unsigned count,
			   unsigned short *revents)
{
	struct microphone *mic = io->private_data;
	unsigned long long expirations;

	(void)count;
	*revents = 0;
	if (exists(mic->gone)) {
		*revents = POLLERR | POLLHUP;
		return -EIO;
	}
	if (!(poll[0].revents & POLLIN))
		return 0;

	snd_pcm_sframes_t ready = snd_pcm_avail_update(io->pcm);
	if (ready < 0) {
		*revents = POLLERR;
	} else if ((snd_pcm_uframes_t)ready >= mic->avail_min) {
		*revents = POLLIN; /* the timer stays due until the frames are read */
	} else {
		if (read(mic->timer, &expirations, sizeof expirations) < 0) {
			/* not due any more: nothing to take back */
		}
		arm(mic);
	}
	return 0;
}

static int on_close(snd_pcm_ioplug_t *io)
{
	struct microphone *mic = io->private_data;

	close(mic->timer);
	if (mic->file >= 0)
		close(mic->file);
	free(mic);
	return 0;
}

static const snd_pcm_ioplug_callback_t callbacks = {
	.start = on_start,
	.stop = on_stop,
	.pointer = on_pointer,
	.close = on_close,
	.prepare = on_prepare,
	.sw_params = on_sw_params,
	.poll_descriptors = on_poll_descriptors,
	.poll_revents = on_poll_revents,
};

static void restrict_to(snd_pcm_ioplug_t *io, unsigned rate, unsigned channels)
{
	unsigned access[] = {SND_PCM_ACCESS_RW_INTERLEAVED, SND_PCM_ACCESS_MMAP_INTERLEAVED};
	unsigned format[] = {SND_PCM_FORMAT_S16_LE};
	unsigned frame_bytes = 2 * channels;

	snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_ACCESS, 2, access);
	snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_FORMAT, 1, format);
	snd_pcm_ioplug_set_param_list(io, SND_PCM_IOPLUG_HW_RATE, 1, &rate);
	snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_CHANNELS, channels, channels);
	snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_PERIOD_BYTES, 64,
					rate / 20 * frame_bytes);
	snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_BUFFER_BYTES,
					rate * frame_bytes * BUFFER_S, 1 << 20);
	snd_pcm_ioplug_set_param_minmax(io, SND_PCM_IOPLUG_HW_PERIODS, 2, 1024);
}

SND_PCM_PLUGIN_DEFINE_FUNC(wavmic)
{
	snd_config_iterator_t i, next;
	const char *file = NULL, *gone = NULL, *stall = NULL;
	long rate = 48000, channels = 1;

	snd_config_for_each(i, next, conf) {
		snd_config_t *entry = snd_config_iterator_entry(i);
		const char *id;

		if (snd_config_get_id(entry, &id) < 0)
			continue;
		if (!strcmp(id, "type") || !strcmp(id, "hint") || !strcmp(id, "comment"))
			continue;
		if (!strcmp(id, "file")) {
			snd_config_get_string(entry, &file);
		} else if (!strcmp(id, "gone")) {
			snd_config_get_string(entry, &gone);
		} else if (!strcmp(id, "stall")) {
			snd_config_get_string(entry, &stall);
		} else if (!strcmp(id, "rate")) {
			snd_config_get_integer(entry, &rate);
		} else if (!strcmp(id, "channels")) {
			snd_config_get_integer(entry, &channels);
		} else {
			SNDERR("Unknown field %s", id);
			return -EINVAL;
		}
	}
	if (stream != SND_PCM_STREAM_CAPTURE || (gone && exists(gone)))
		return -ENODEV;

	struct microphone *mic = calloc(1, sizeof *mic);
	if (!mic)
		return -ENOMEM;
	mic->boundary = ~0UL >> 1;
	mic->avail_min = 1;
	mic->file = file ? open(file, O_RDONLY | O_CLOEXEC) : -1;
	if (gone)
		snprintf(mic->gone, sizeof mic->gone, "%s", gone);
	if (stall)
		snprintf(mic->stall, sizeof mic->stall, "%s", stall);
	mic->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	mic->io.version = SND_PCM_IOPLUG_VERSION;
	mic->io.name = "wavmic";
	mic->io.callback = &callbacks;
	mic->io.private_data = mic;
	mic->io.flags = SND_PCM_IOPLUG_FLAG_BOUNDARY_WA;
	mic->io.poll_fd = mic->timer;
	mic->io.poll_events = POLLIN;
	mic->io.mmap_rw = 1;

	int err = snd_pcm_ioplug_create(&mic->io, name, stream, mode);
	if (err < 0) {
		close(mic->timer);
		if (mic->file >= 0)
			close(mic->file);
		free(mic);
		return err;
	}
	restrict_to(&mic->io, rate, channels);
	*pcmp = mic->io.pcm;
	return 0;
}
SND_PCM_PLUGIN_SYMBOL(wavmic);
