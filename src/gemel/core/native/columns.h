/* What numpy has no fast word for: rows that repeat. */

typedef struct {
    Py_buffer view;
    Py_ssize_t count;
} Column;

/* A contiguous column of items of `width` bytes; `count` of them, or -1 for any number. */
static int
open_column(PyObject *source, Column *column, Py_ssize_t width, Py_ssize_t count, int flags)
{
    if (PyObject_GetBuffer(source, &column->view, PyBUF_ND | flags) < 0)
        return -1;
    column->count = column->view.len / width;
    if (column->view.itemsize == width && (count < 0 || column->count == count))
        return 0;
    PyBuffer_Release(&column->view);
    PyErr_SetString(PyExc_ValueError, "the columns do not belong together");
    return -1;
}

static uint64_t seed; /* so that nobody can send rows that all fall on one place */

static uint64_t
mix(uint64_t number)
{
    number = (number ^ number >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    number = (number ^ number >> 27) * UINT64_C(0x94d049bb133111eb);
    return number ^ number >> 31;
}

/* Whether the times of each series strictly increase, so that no row can repeat another. */
static int
is_increasing(const int32_t *series, const int64_t *time, size_t count)
{
    int32_t high = 0;
    for (size_t i = 0; i < count; i++) {
        if (series[i] < 0)
            return LEFT;
        high = series[i] > high ? series[i] : high;
    }
    if ((size_t)high > 4 * count + 65536)
        return LEFT;
    int64_t *last = PyMem_RawMalloc(((size_t)high + 1) * sizeof(int64_t));
    if (last == NULL)
        return FAILED;
    for (size_t i = 0; i < count; i++)
        last[series[i]] = INT64_MIN;
    int found = TAKEN;
    for (size_t i = 0; i < count && found; i++) {
        found = time[i] > last[series[i]];
        last[series[i]] = time[i];
    }
    PyMem_RawFree(last);
    return found;
}

/* Sets `known` for each row that says what an earlier one says; how many, -1 without memory. */
static Py_ssize_t
mark(const int32_t *series, const int64_t *time, const int64_t *bits, uint8_t *known, size_t count)
{
    size_t room = 16;
    while (room < 2 * count)
        room *= 2;
    uint32_t *table = PyMem_RawMalloc(room * sizeof(uint32_t));
    if (table == NULL)
        return -1;
    memset(table, 0xff, room * sizeof(uint32_t));
    Py_ssize_t marked = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t hash = mix(seed ^ mix((uint64_t)time[i] ^ mix((uint64_t)bits[i] + seed)) ^
                            (uint32_t)series[i]);
        size_t at = (size_t)hash & (room - 1);
        for (; table[at] != NONE; at = (at + 1) & (room - 1)) {
            uint32_t other = table[at];
            if (series[other] == series[i] && time[other] == time[i] && bits[other] == bits[i])
                break;
        }
        if (table[at] == NONE) {
            table[at] = (uint32_t)i;
        } else {
            known[i] = 1;
            marked++;
        }
    }
    PyMem_RawFree(table);
    return marked;
}

static PyObject *
fast_mark_repeated(PyObject *module, PyObject *args)
{
    PyObject *sources[4];
    Column series, others[3];
    if (!PyArg_ParseTuple(args, "OOOO", &sources[0], &sources[1], &sources[2], &sources[3]) ||
        open_column(sources[0], &series, 4, -1, 0) < 0)
        return NULL;
    Py_ssize_t marked = -1, opened = 0;
    for (; opened < 3; opened++)
        if (open_column(sources[opened + 1], &others[opened], opened == 2 ? 1 : 8, series.count,
                        opened == 2 ? PyBUF_WRITABLE : 0) < 0)
            break;
    if (opened == 3 && series.count < UINT32_MAX) {
        const int64_t *time = others[0].view.buf, *bits = others[1].view.buf;
        int is_simple = is_increasing(series.view.buf, time, (size_t)series.count);
        marked = is_simple == TAKEN ? 0 : is_simple == FAILED ? -1
                 : mark(series.view.buf, time, bits, others[2].view.buf, (size_t)series.count);
        if (marked < 0)
            PyErr_NoMemory();
    } else if (opened == 3) {
        PyErr_SetString(PyExc_ValueError, "too many rows");
    }
    while (opened--)
        PyBuffer_Release(&others[opened].view);
    PyBuffer_Release(&series.view);
    return marked < 0 ? NULL : PyLong_FromSsize_t(marked);
}
