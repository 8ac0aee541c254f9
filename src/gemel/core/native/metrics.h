/* Metrics of a Sparkplug payload to columns, where all of them are plain; see ingest/sparkplug. */

enum { MOST_METRICS = 10000, NO_VALUE = 0, WHOLE_VALUE, FRACTION_VALUE, TRUTH_VALUE };

typedef struct {
    const uint8_t *p, *end;
} Bytes;

typedef struct {
    uint64_t number;
    int wire;
    uint64_t whole; /* of a varint, or the bits of what has a fixed size */
    Bytes inside;
} Field;

typedef struct {
    int64_t *slots, *times;
    double *values;
    Py_ssize_t count;
    int64_t limit, received;
    uint64_t time, seq;
    int has_time, has_seq;
} Readings;

static int
read_varint(Bytes *bytes, uint64_t *found)
{
    *found = 0;
    for (int shift = 0; shift < 70 && bytes->p < bytes->end; shift += 7) {
        uint8_t byte = *bytes->p++;
        *found |= shift < 64 ? (uint64_t)(byte & 0x7f) << shift : 0;
        if (byte < 0x80)
            return TAKEN;
    }
    return LEFT;
}

static int
read_field(Bytes *bytes, Field *field)
{
    uint64_t tag, size = 0;
    if (!read_varint(bytes, &tag))
        return LEFT;
    field->number = tag >> 3;
    field->wire = (int)(tag & 7);
    if (field->wire == 0)
        return read_varint(bytes, &field->whole);
    if (field->wire == 2 && !read_varint(bytes, &size))
        return LEFT;
    if (field->wire != 2 && field->wire != 1 && field->wire != 5)
        return LEFT;
    if (field->wire != 2)
        size = field->wire == 1 ? 8 : 4;
    if (size > (uint64_t)(bytes->end - bytes->p))
        return LEFT;
    field->inside = (Bytes){bytes->p, bytes->p + size};
    field->whole = 0;
    for (int i = 0; field->wire != 2 && i < (int)size; i++)
        field->whole |= (uint64_t)bytes->p[i] << (8 * i);
    bytes->p += size;
    return TAKEN;
}

/* A whole number with the sign that its type gives it. */
static double
meant(uint64_t raw, long type)
{
    static const int bits[] = {0, 8, 16, 32, 64, 8, 16, 32, 64};
    int shift = 64 - bits[type];
    if (type > 4)
        return (double)(raw << shift >> shift);
    uint64_t low = raw << shift >> shift, sign = UINT64_C(1) << (bits[type] - 1);
    return low & sign ? -(double)((~low + 1) & (sign | (sign - 1))) : (double)low;
}

typedef struct {
    Bytes name;
    uint64_t alias, time, whole;
    double fraction;
    int has_alias, has_time, kind;
} Sent;

static int
read_metric(Bytes bytes, Sent *sent)
{
    memset(sent, 0, sizeof(*sent));
    while (bytes.p < bytes.end) {
        Field field;
        if (!read_field(&bytes, &field) || field.number > 14)
            return LEFT;
        int wire = field.number == 1 ? 2 : field.number == 12 ? 5 : field.number == 13 ? 1 : 0;
        if (field.wire != wire)
            return LEFT;
        float narrow;
        uint32_t half = (uint32_t)field.whole;
        switch (field.number) {
        case 1: sent->name = field.inside; break;
        case 2: sent->alias = field.whole; sent->has_alias = 1; break;
        case 3: sent->time = field.whole; sent->has_time = 1; break;
        case 4: case 6: break;
        case 5: case 7: if (field.whole) return LEFT; break;
        case 10: case 11: sent->whole = field.whole; sent->kind = WHOLE_VALUE; break;
        case 12:
            memcpy(&narrow, &half, 4);
            sent->fraction = narrow;
            sent->kind = FRACTION_VALUE;
            break;
        case 13: memcpy(&sent->fraction, &field.whole, 8); sent->kind = FRACTION_VALUE; break;
        case 14: sent->fraction = field.whole != 0; sent->kind = TRUTH_VALUE; break;
        default: return LEFT;
        }
    }
    return sent->kind != NO_VALUE && (sent->has_alias || sent->name.p < sent->name.end);
}

/* What is known of a metric: (slot, type, lowest, highest), borrowed; NULL if it is not plain. */
static PyObject *
find_metric(PyObject *plain, const Sent *sent)
{
    PyObject *name = NULL, *key = NULL;
    if (sent->name.p != NULL) {
        name = PyUnicode_DecodeUTF8((const char *)sent->name.p,
                                    sent->name.end - sent->name.p, "strict");
        if (name == NULL) {
            PyErr_Clear();
            return NULL;
        }
    }
    key = sent->has_alias ? PyLong_FromUnsignedLongLong(sent->alias) : Py_NewRef(name);
    PyObject *found = key == NULL ? NULL : PyDict_GetItemWithError(plain, key);
    Py_XDECREF(name);
    Py_XDECREF(key);
    return found != NULL && PyTuple_CheckExact(found) && PyTuple_GET_SIZE(found) == 4 ? found : NULL;
}

static int
take_metric(Readings *readings, Bytes bytes, PyObject *plain)
{
    Sent sent;
    PyObject *known;
    if (!read_metric(bytes, &sent) || (known = find_metric(plain, &sent)) == NULL)
        return LEFT;
    int64_t slot = PyLong_AsLongLong(PyTuple_GET_ITEM(known, 0));
    long type = PyLong_AsLong(PyTuple_GET_ITEM(known, 1));
    double low = PyFloat_AsDouble(PyTuple_GET_ITEM(known, 2));
    double high = PyFloat_AsDouble(PyTuple_GET_ITEM(known, 3));
    if (PyErr_Occurred())
        return FAILED;
    int kind = type < 1 || type > 11 ? NO_VALUE : type < 9 ? WHOLE_VALUE
               : type < 11 ? FRACTION_VALUE : TRUTH_VALUE;
    if (kind != sent.kind)
        return LEFT;
    double value = kind == WHOLE_VALUE ? meant(sent.whole, type) : sent.fraction;
    uint64_t time = sent.has_time ? sent.time : readings->time;
    int64_t moment = readings->received;
    if (sent.has_time || readings->has_time) {
        if (time > (uint64_t)INT64_MAX / 1000000)
            return LEFT;
        moment = (int64_t)time * 1000000;
    }
    if (!(value >= low && value <= high) || moment > readings->limit)
        return LEFT;
    readings->slots[readings->count] = slot;
    readings->times[readings->count] = moment;
    readings->values[readings->count++] = value;
    return TAKEN;
}

/* Reads what stands around the metrics and counts them: a time may stand behind them. */
static int
read_around(Readings *readings, Bytes bytes, Py_ssize_t *count)
{
    while (bytes.p < bytes.end) {
        Field field;
        if (!read_field(&bytes, &field) || field.number < 1 || field.number > 3 ||
            field.wire != (field.number == 2 ? 2 : 0))
            return LEFT;
        if (field.number == 1) {
            readings->time = field.whole;
            readings->has_time = 1;
        } else if (field.number == 3) {
            readings->seq = field.whole;
            readings->has_seq = 1;
        } else if (++*count > MOST_METRICS) {
            return LEFT;
        }
    }
    return readings->has_seq && readings->seq < 256;
}

static int
take_metrics(Readings *readings, Bytes bytes, PyObject *plain)
{
    int found = TAKEN;
    while (found == TAKEN && bytes.p < bytes.end) {
        Field field;
        found = read_field(&bytes, &field);
        if (found == TAKEN && field.number == 2)
            found = take_metric(readings, field.inside, plain);
    }
    return found;
}

static PyObject *
fast_metrics(PyObject *module, PyObject *args)
{
    PyObject *payload, *plain, *slots, *times, *values, *limit;
    long long received;
    int is_over = 0;
    if (!PyArg_ParseTuple(args, "O!O!OOOO!L", &PyBytes_Type, &payload, &PyDict_Type, &plain, &slots,
                          &times, &values, &PyLong_Type, &limit, &received))
        return NULL;
    Readings readings = {.received = received};
    readings.limit = PyLong_AsLongLongAndOverflow(limit, &is_over);
    if (is_over)
        readings.limit = is_over > 0 ? INT64_MAX : 0;
    const uint8_t *data = (const uint8_t *)PyBytes_AS_STRING(payload);
    Bytes bytes = {data, data + PyBytes_GET_SIZE(payload)};
    Py_ssize_t count = 0;
    int found = read_around(&readings, bytes, &count);
    uint64_t *room = NULL;
    if (found == TAKEN && count) {
        room = PyMem_RawMalloc((size_t)count * 24);
        if (room == NULL)
            return PyErr_NoMemory();
        readings.slots = (int64_t *)room;
        readings.times = (int64_t *)room + count;
        readings.values = (double *)(room + 2 * count);
        found = take_metrics(&readings, bytes, plain);
    }
    if (found == TAKEN && readings.count &&
        (hand_over(slots, readings.slots, (size_t)readings.count) < 0 ||
         hand_over(times, readings.times, (size_t)readings.count) < 0 ||
         hand_over(values, readings.values, (size_t)readings.count) < 0))
        found = FAILED;
    PyMem_RawFree(room);
    if (found == FAILED || PyErr_Occurred())
        return NULL;
    return PyLong_FromLong(found == TAKEN ? (long)readings.seq : -1);
}
