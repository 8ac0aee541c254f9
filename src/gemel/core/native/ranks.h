/* Samples of many windows kept in order, a row each: one leaves, one joins, a percentile is told. */

/* Compiled once more for processors with wider registers; which one runs is found out at the start,
   before a build that counts the blocks it runs through (GEMEL_COUNTED) could count. */
#if !defined(GEMEL_COUNTED) && defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_WIDE_TOO __attribute__((target_clones("avx2", "default")))
#else
#define FOR_WIDE_TOO
#endif

/* How many of a row lie below each of two values; without branches, to be vectorised. */
FOR_WIDE_TOO static void
ranks_below(const double *row, int64_t known, double one, double other, int64_t *below)
{
    int64_t first = 0, second = 0;
    for (int64_t i = 0; i < known; i++) {
        first += row[i] < one;
        second += row[i] < other;
    }
    below[0] = first;
    below[1] = second;
}

/* Takes `before` out of a row and puts `after` in; NaN for none. The new number of samples. */
static int64_t
slide_row(double *row, int64_t known, int64_t room, double before, double after)
{
    int64_t below[2];
    ranks_below(row, known, before, after, below);
    int64_t at = below[0], to = below[1];
    int leaves = !isnan(before) && at < known, joins = !isnan(after);
    if (leaves && joins && to > at) {
        memmove(row + at, row + at + 1, (size_t)(to - at - 1) * sizeof *row);
        row[to - 1] = after;
    } else if (leaves && joins) {
        memmove(row + to + 1, row + to, (size_t)(at - to) * sizeof *row);
        row[to] = after;
    } else if (leaves) {
        memmove(row + at, row + at + 1, (size_t)(known - at - 1) * sizeof *row);
    } else if (joins && known < room) {
        memmove(row + to + 1, row + to, (size_t)(known - to) * sizeof *row);
        row[to] = after;
        joins = 2;
    }
    return known - (leaves && !joins) + (joins == 2);
}

/* With linear interpolation; to the last bit what core/ranks.py gives. */
static double
rank_value(const double *row, int64_t known, double share)
{
    if (known <= 0)
        return NAN;
    double place = share * (double)(known - 1), below = floor(place);
    int64_t at = (int64_t)below;
    double low = row[at], high = row[at + 1 < known ? at + 1 : known - 1];
    return low + (high - low) * (place - below);
}

static PyObject *
fast_slide(PyObject *module, PyObject *args)
{
    PyObject *sources[5];
    Column columns[5]; /* ordered, known, before, after, out */
    double share;
    if (!PyArg_ParseTuple(args, "OOOOdO", &sources[0], &sources[1], &sources[2], &sources[3],
                          &share, &sources[4]))
        return NULL;
    Py_ssize_t opened = 0;
    while (opened < 5 &&
           open_column(sources[opened], &columns[opened], 8,
                       opened < 2 ? -1 : columns[1].count,
                       opened == 3 ? 0 : PyBUF_WRITABLE) == 0)
        opened++;
    int is_taken = 0;
    if (opened == 5) {
        int64_t size = columns[1].count, room = size ? columns[0].count / size : 0;
        double *ordered = columns[0].view.buf, *out = columns[4].view.buf;
        int64_t *known = columns[1].view.buf;
        double *before = columns[2].view.buf;
        const double *after = columns[3].view.buf;
        is_taken = share >= 0 && share <= 1 && (!size || (room && columns[0].count == room * size));
        for (int64_t i = 0; is_taken && i < size; i++)
            is_taken = known[i] >= 0 && known[i] <= room;
        for (int64_t i = 0; is_taken && i < size; i++) {
            double *row = ordered + i * room;
            if (!(before[i] == after[i]))
                known[i] = slide_row(row, known[i], room, before[i], after[i]);
            before[i] = after[i];
            out[i] = rank_value(row, known[i], share);
        }
    }
    while (opened--)
        PyBuffer_Release(&columns[opened].view);
    if (is_taken)
        Py_RETURN_NONE;
    if (!PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "the columns do not belong together");
    return NULL;
}

/* Whether the ranges lie within the samples, never run back and are never longer than `room`. */
static int
ranges_are_sound(const int64_t *since, const int64_t *upto, int64_t count, int64_t samples,
                 int64_t room)
{
    for (int64_t i = 0; i < count; i++)
        if (since[i] < (i ? since[i - 1] : 0) || upto[i] < (i ? upto[i - 1] : 0) ||
            since[i] > upto[i] || upto[i] > samples || upto[i] - since[i] > room)
            return 0;
    return 1;
}

static PyObject *
fast_percentiles(PyObject *module, PyObject *args)
{
    PyObject *sources[4];
    Column columns[4]; /* value, since, upto, out */
    double share;
    long long room;
    if (!PyArg_ParseTuple(args, "OOOLdO", &sources[0], &sources[1], &sources[2], &room, &share,
                          &sources[3]))
        return NULL;
    Py_ssize_t opened = 0;
    while (opened < 4 && open_column(sources[opened], &columns[opened], 8,
                                     opened < 2 ? -1 : columns[1].count,
                                     opened == 3 ? PyBUF_WRITABLE : 0) == 0)
        opened++;
    double *row = NULL;
    if (opened == 4 && room > 0 && room < 1000000 && share >= 0 && share <= 1) {
        const double *value = columns[0].view.buf;
        const int64_t *since = columns[1].view.buf, *upto = columns[2].view.buf;
        double *out = columns[3].view.buf;
        int64_t count = columns[1].count, from = 0, to = 0, known = 0;
        if (ranges_are_sound(since, upto, count, columns[0].count, room) &&
            (row = PyMem_RawMalloc((size_t)room * sizeof *row)) == NULL)
            PyErr_NoMemory();
        for (int64_t i = 0; row != NULL && i < count; i++) {
            if (since[i] >= to) { /* nothing stays */
                known = 0;
                from = to = since[i];
            }
            while (from < since[i]) {
                double joins = to < upto[i] ? value[to++] : NAN;
                known = slide_row(row, known, room, value[from++], joins);
            }
            while (to < upto[i])
                known = slide_row(row, known, room, NAN, value[to++]);
            out[i] = rank_value(row, known, share);
        }
    }
    while (opened--)
        PyBuffer_Release(&columns[opened].view);
    if (row != NULL) {
        PyMem_RawFree(row);
        Py_RETURN_NONE;
    }
    if (!PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "the ranges do not belong to the samples");
    return NULL;
}
