/* The forms of a payload that are plain; see ingest/decode.py for their meaning.
 * All of it runs without the GIL where the payload is long: no Python object is touched, and
 * FAILED means that there is no memory. */

#define MOST_NAMES 10000
#define EARLIEST_T 100000000000000000LL /* see ingest/times.py */

#define MOST_TIME_NAMES 8

typedef struct {
    const char *text;
    Py_ssize_t length;
} Word;

typedef struct {
    int64_t *slots, *times;
    double *values;
    size_t count, room;
    int64_t *moments; /* of the message at hand */
    size_t moment_count, moment_room;
    int64_t limit;
    Names *names;
    Word name, time_names[MOST_TIME_NAMES];
    int time_count;
    int64_t first; /* the twin's first slot, from which those of names are counted */
} Work;

static int
more_room(void **column, size_t room)
{
    void *more = room > SIZE_MAX / 8 ? NULL : PyMem_RawRealloc(*column, room * 8);
    if (more == NULL)
        return FAILED;
    *column = more;
    return TAKEN;
}

static inline int
push(Work *work, int64_t slot, int64_t time, double value)
{
    if (work->count == work->room) {
        size_t room = work->room ? 2 * work->room : 1024;
        if (more_room((void **)&work->slots, room) < 0 ||
            more_room((void **)&work->times, room) < 0 ||
            more_room((void **)&work->values, room) < 0)
            return FAILED;
        work->room = room;
    }
    work->slots[work->count] = work->first + slot;
    work->times[work->count] = time;
    work->values[work->count++] = value;
    return TAKEN;
}

static int
push_moment(Work *work, int64_t raw)
{
    if (work->moment_count == work->moment_room) {
        size_t room = work->moment_room ? 2 * work->moment_room : 256;
        if (more_room((void **)&work->moments, room) < 0)
            return FAILED;
        work->moment_room = room;
    }
    work->moments[work->moment_count++] = raw;
    return TAKEN;
}

/* Whole times of a message to ns: all in one unit, none after the limit. */
static int
settle_moments(Work *work)
{
    if (work->moment_count == 0)
        return LEFT;
    int64_t low = work->moments[0], high = low;
    for (size_t i = 1; i < work->moment_count; i++) {
        low = work->moments[i] < low ? work->moments[i] : low;
        high = work->moments[i] > high ? work->moments[i] : high;
    }
    int64_t unit = unit_of(low);
    if (low <= 0 || unit_of(high) != unit || high > work->limit / unit)
        return LEFT;
    for (size_t i = 0; i < work->moment_count; i++)
        work->moments[i] *= unit;
    return TAKEN;
}

/* A text without escapes; LEFT for any other. */
static int
read_plain(Text *text, const char **begin, size_t *length)
{
    const char *p = text->p;
    if (p == text->end || *p != '"')
        return LEFT;
    *begin = ++p;
    while (p < text->end && *p != '"') {
        if ((uint8_t)*p < 0x20 || *p == '\\')
            return LEFT;
        p++;
    }
    if (p == text->end)
        return LEFT;
    *length = (size_t)(p - *begin);
    text->p = p + 1;
    return TAKEN;
}

/* A name; `entry` is NONE for a name that is no value's, else what was predicted or looked up. */
static int
read_name(Text *text, Names *names, uint32_t *previous, uint32_t *entry, const char **begin,
          size_t *length)
{
    uint32_t guess = *previous == NONE ? names->first : names->entries[*previous].follow;
    if (guess < names->count) {
        const Entry *likely = &names->entries[guess];
        if ((size_t)(text->end - text->p) >= (size_t)likely->length + 2 && *text->p == '"' &&
            text->p[likely->length + 1] == '"' &&
            !memcmp(text->p + 1, likely->text, likely->length)) {
            *begin = text->p + 1;
            *length = likely->length;
            *entry = *previous = guess;
            text->p += likely->length + 2;
            return TAKEN;
        }
    }
    if (!read_plain(text, begin, length))
        return LEFT;
    *entry = names_find(names, *begin, *length);
    if (*entry != NONE) {
        if (*previous == NONE)
            names->first = *entry;
        else
            names->entries[*previous].follow = *entry;
        *previous = *entry;
    }
    return TAKEN;
}

static int
literal(Text *text, const char *word, size_t length)
{
    if ((size_t)(text->end - text->p) < length || memcmp(text->p, word, length))
        return 0;
    text->p += length;
    return 1;
}

/* A number or boolean that its point takes without objection, with the space after it. */
static int
read_value(Text *text, const Entry *entry, double *value)
{
    int64_t whole = 0;
    if (next_is(text, 't') || next_is(text, 'f')) {
        *value = next_is(text, 't');
        if (!(entry->classes & BOOLEAN) || !(literal(text, "true", 4) || literal(text, "false", 5)))
            return LEFT;
        space(text);
        return TAKEN;
    }
    int kind = read_number(text, &whole, value);
    if (kind == LEFT)
        return LEFT;
    if (kind == 2 && !(entry->classes & FRACTION))
        return LEFT;
    if (kind == 1) {
        if (entry->classes & FRACTION ? whole <= -EXACT || whole >= EXACT
                                      : !(entry->classes & WHOLE) || whole < entry->low ||
                                            whole > entry->high)
            return LEFT;
        *value = (double)whole;
    }
    space(text);
    return TAKEN;
}

static int
is_text(const char *begin, size_t length, const char *word)
{
    return strlen(word) == length && !memcmp(begin, word, length);
}

static int
is_time_name(const Work *work, const char *begin, size_t length)
{
    for (int i = 0; i < work->time_count; i++) {
        const Word *word = &work->time_names[i];
        if ((size_t)word->length == length && !memcmp(begin, word->text, length))
            return 1;
    }
    return 0;
}

/* Columns behind the name of their time: [times], "name": [values], ... } */
static int
read_columns(Work *work, Text *text)
{
    Names *names = work->names;
    uint32_t previous = NONE, place;
    const char *begin;
    size_t length, count = 0;
    int64_t whole = 0;
    double value = 0;
    if (!take(text, '['))
        return LEFT;
    work->moment_count = 0;
    do {
        if (read_number(text, &whole, &value) != 1)
            return LEFT;
        if (push_moment(work, whole) < 0)
            return FAILED;
        space(text);
    } while (take(text, ','));
    if (!take(text, ']') || !settle_moments(work))
        return LEFT;
    while (take(text, ',')) {
        if (++count > MOST_NAMES || !read_name(text, names, &previous, &place, &begin, &length) ||
            place == NONE)
            return LEFT;
        Entry *entry = &names->entries[place];
        if (!(entry->classes & FRACTION) || entry->stamp == names->turn)
            return LEFT;
        entry->stamp = names->turn;
        Entry number = *entry;
        number.classes = FRACTION;
        space(text);
        if (!take(text, ':') || !take(text, '['))
            return LEFT;
        for (size_t i = 0; i < work->moment_count; i++) {
            if ((i && !take(text, ',')) || !read_value(text, &number, &value))
                return LEFT;
            if (push(work, entry->slot, work->moments[i], value) < 0)
                return FAILED;
        }
        if (!take(text, ']'))
            return LEFT;
    }
    return count && take(text, '}');
}

/* Rows: [[name, time, value], ...] } */
static int
read_rows(Work *work, Text *text)
{
    Names *names = work->names;
    uint32_t previous = NONE, place;
    const char *begin;
    size_t length, start = work->count;
    int64_t whole = 0;
    double value = 0;
    if (!take(text, '['))
        return LEFT;
    work->moment_count = 0;
    do {
        if (!take(text, '[') || !read_name(text, names, &previous, &place, &begin, &length) ||
            place == NONE)
            return LEFT;
        Entry number = names->entries[place];
        if (!(number.classes & FRACTION))
            return LEFT;
        number.classes = FRACTION;
        space(text);
        if (!take(text, ',') || read_number(text, &whole, &value) != 1)
            return LEFT;
        space(text);
        if (!take(text, ',') || !read_value(text, &number, &value) || !take(text, ']'))
            return LEFT;
        if (push_moment(work, whole) < 0 || push(work, number.slot, 0, value) < 0)
            return FAILED;
    } while (take(text, ','));
    if (!take(text, ']') || !take(text, '}') || !settle_moments(work))
        return LEFT;
    memcpy(work->times + start, work->moments, work->moment_count * sizeof(int64_t));
    return TAKEN;
}

/* {"id": text, "r": rows}: what stands between its first name and the rows. */
static int
skip_id(Work *work, Text *text)
{
    const char *begin;
    size_t length;
    if (!read_plain(text, &begin, &length))
        return LEFT;
    for (size_t i = 0; i < length; i++)
        if ((uint8_t)begin[i] >= 0x80)
            return LEFT;
    space(text);
    if (!take(text, ',') || !read_plain(text, &begin, &length) || !is_text(begin, length, "r"))
        return LEFT;
    space(text);
    return take(text, ':') && names_find(work->names, "r", 1) == NONE;
}

enum { ALONE, IN_ARRAY, UNDER_TIME };

/* An object of names to values, with an optional time; see take_object of ingest/decode.py. */
static int
read_object(Work *work, Text *text, int64_t moment, int where)
{
    Names *names = work->names;
    uint32_t previous = NONE, place;
    const char *begin;
    size_t length, count = 0, start = work->count;
    int is_timed = 0, is_ts = 0;
    double value = 0;
    if (!take(text, '{'))
        return LEFT;
    if (++names->turn == 0) { /* after 4 billion objects stamps begin anew */
        for (uint32_t i = 0; i < names->count; i++)
            names->entries[i].stamp = 0;
        names->turn = 1;
    }
    do {
        if (++count > MOST_NAMES || !read_name(text, names, &previous, &place, &begin, &length))
            return LEFT;
        if (where == IN_ARRAY && (is_text(begin, length, "n") || is_text(begin, length, "bn")))
            return LEFT;
        space(text);
        if (!take(text, ':'))
            return LEFT;
        if (where == UNDER_TIME && (place == NONE || is_time_name(work, begin, length)))
            return LEFT;
        if (place != NONE) {
            Entry *entry = &names->entries[place];
            if (entry->stamp == names->turn || !read_value(text, entry, &value))
                return LEFT;
            entry->stamp = names->turn;
            if (push(work, entry->slot, moment, value) < 0)
                return FAILED;
            continue;
        }
        if (!is_timed && is_time_name(work, begin, length)) {
            if (next_is(text, '['))
                return count == 1 ? read_columns(work, text) : LEFT;
            is_timed = 1;
            is_ts = is_text(begin, length, "ts");
            if (!read_moment(text, work->limit, &moment) ||
                (is_text(begin, length, "t") && moment < EARLIEST_T))
                return LEFT;
            space(text);
            continue;
        }
        if (count == 2 && is_ts && is_text(begin, length, "values")) {
            int found = read_object(work, text, moment, UNDER_TIME);
            return found == TAKEN ? take(text, '}') : found;
        }
        if (count == 1 && is_text(begin, length, "r"))
            return read_rows(work, text);
        if (count == 1 && is_text(begin, length, "id") && skip_id(work, text))
            return read_rows(work, text);
        return LEFT;
    } while (take(text, ','));
    if (!take(text, '}') || work->count == start)
        return LEFT;
    for (size_t i = start; i < work->count; i++)
        work->times[i] = moment;
    return TAKEN;
}

static int
read_payload(Work *work, Text *text, int64_t received)
{
    int found = LEFT;
    space(text);
    if (work->name.length) {
        double value = 0;
        uint32_t place = names_find(work->names, work->name.text, (size_t)work->name.length);
        if (place == NONE || !read_value(text, &work->names->entries[place], &value))
            return LEFT;
        found = push(work, work->names->entries[place].slot, received, value);
    } else if (next_is(text, '{')) {
        found = read_object(work, text, received, ALONE);
    } else if (take(text, '[')) {
        do {
            found = read_object(work, text, received, IN_ARRAY);
            if (found != TAKEN)
                return found;
        } while (take(text, ','));
        if (!take(text, ']'))
            return LEFT;
    }
    return found == TAKEN && text->p != text->end ? LEFT : found;
}
