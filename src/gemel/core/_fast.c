/* The fast path, optional: what devices send most, from the bytes of a socket to columns.
 *
 * core/fast.py describes every function for its callers and has the twin that is used without this
 * file. The rule that keeps both equal: what is done here is the plain case only. Whatever is odd,
 * rare or wrong is left untouched to the Python code, which decides about it and words the errors.
 *
 * All sizes are checked against the end of the buffer; nothing recurses deeper than an object in an
 * object in an array; no Python code runs while pointers into its objects are held.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

enum { FRACTION = 1, WHOLE = 2, BOOLEAN = 4 };
enum { TAKEN = 1, LEFT = 0, FAILED = -1 };

#define NONE UINT32_MAX
#define EXACT 9007199254740992LL /* 2^53: whole numbers below are exact as float64 */
#define MOST_NAMES 10000
#define EARLIEST_T 100000000000000000LL /* see ingest/times.py */
#define MOST_TIME_NAMES 8

/* ---- Names: what a source may call its values ------------------------------------------------ */

typedef struct {
    const char *text;
    uint32_t length;
    uint32_t hash;
    int32_t slot;
    uint32_t follow; /* the name that came after this one last time */
    uint32_t stamp;  /* the object in which it was last seen: names must not repeat */
    uint32_t classes;
    int64_t low, high;
} Entry;

typedef struct {
    PyObject_HEAD
    PyObject *keep; /* the texts, whose UTF-8 the entries point to */
    Entry *entries;
    uint32_t count, room;
    uint32_t *table;
    uint32_t mask;
    uint32_t first; /* the name that came first last time */
    uint32_t turn;
} Names;

static uint32_t
hash_of(const char *text, size_t length)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (uint8_t)text[i]) * 16777619u;
    return hash ^ hash >> 15;
}

static uint32_t
names_find(const Names *names, const char *text, size_t length)
{
    if (names->count == 0)
        return NONE;
    uint32_t hash = hash_of(text, length);
    for (uint32_t at = hash & names->mask;; at = (at + 1) & names->mask) {
        uint32_t place = names->table[at];
        if (place == NONE)
            return NONE;
        const Entry *entry = &names->entries[place];
        if (entry->hash == hash && entry->length == length && !memcmp(entry->text, text, length))
            return place;
    }
}

static void
names_enter(Names *names, uint32_t place)
{
    uint32_t at = names->entries[place].hash & names->mask;
    while (names->table[at] != NONE)
        at = (at + 1) & names->mask;
    names->table[at] = place;
}

/* Makes room for one more; the table is never more than half full. */
static int
names_grow(Names *names)
{
    if (names->count < names->room)
        return 0;
    if (names->room >= UINT32_MAX / 8) {
        PyErr_NoMemory();
        return -1;
    }
    uint32_t room = names->room ? 2 * names->room : 8;
    Entry *entries = PyMem_Realloc(names->entries, room * sizeof(Entry));
    if (entries == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    names->entries = entries;
    uint32_t *table = PyMem_Malloc(2 * (size_t)room * sizeof(uint32_t));
    if (table == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    memset(table, 0xff, 2 * (size_t)room * sizeof(uint32_t));
    PyMem_Free(names->table);
    names->table = table;
    names->mask = 2 * room - 1;
    names->room = room;
    for (uint32_t i = 0; i < names->count; i++)
        names_enter(names, i);
    return 0;
}

static PyObject *
names_add(Names *self, PyObject *args)
{
    PyObject *name;
    int slot, classes;
    long long low, high;
    if (!PyArg_ParseTuple(args, "UiiLL", &name, &slot, &classes, &low, &high))
        return NULL;
    Py_ssize_t length;
    const char *text = PyUnicode_AsUTF8AndSize(name, &length);
    if (text == NULL) { /* a lone surrogate: JSON cannot bring it */
        PyErr_Clear();
        Py_RETURN_NONE;
    }
    if (length > UINT16_MAX)
        Py_RETURN_NONE;
    for (Py_ssize_t i = 0; i < length; i++)
        if ((uint8_t)text[i] < 0x20 || text[i] == '"' || text[i] == '\\')
            Py_RETURN_NONE; /* JSON writes it in more than one way */
    uint32_t old = names_find(self, text, (size_t)length);
    if (old != NONE) { /* two meanings: Python sorts it out */
        self->entries[old].classes = 0;
        Py_RETURN_NONE;
    }
    if (names_grow(self) < 0 || PyList_Append(self->keep, name) < 0)
        return NULL;
    Entry *entry = &self->entries[self->count];
    *entry = (Entry){text, (uint32_t)length, hash_of(text, (size_t)length), slot, NONE,
                     0, (uint32_t)classes, low, high};
    if (self->count)
        self->entries[self->count - 1].follow = self->count;
    names_enter(self, self->count++);
    Py_RETURN_NONE;
}

static PyObject *
names_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    Names *self = (Names *)type->tp_alloc(type, 0);
    if (self != NULL && (self->keep = PyList_New(0)) == NULL)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static void
names_free(Names *self)
{
    Py_XDECREF(self->keep);
    PyMem_Free(self->entries);
    PyMem_Free(self->table);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static Py_ssize_t
names_length(Names *self)
{
    return self->count;
}

static PyMethodDef names_methods[] = {
    {"add", (PyCFunction)names_add, METH_VARARGS, NULL},
    {NULL},
};
static PySequenceMethods names_sequence = {.sq_length = (lenfunc)names_length};
static PyTypeObject NamesType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "gemel.core._fast.Names",
    .tp_basicsize = sizeof(Names),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = names_new,
    .tp_dealloc = (destructor)names_free,
    .tp_methods = names_methods,
    .tp_as_sequence = &names_sequence,
};

/* ---- Plan: what a topic means ----------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    PyObject *who, *twin, *name, *table, *time_names;
} Plan;

static PyMemberDef plan_members[] = {
    {"who", T_OBJECT, offsetof(Plan, who), 0, NULL},
    {"twin", T_OBJECT, offsetof(Plan, twin), 0, NULL},
    {"name", T_OBJECT, offsetof(Plan, name), 0, NULL},
    {"table", T_OBJECT, offsetof(Plan, table), 0, NULL},
    {"time_names", T_OBJECT, offsetof(Plan, time_names), 0, NULL},
    {NULL},
};

static void
plan_free(Plan *self)
{
    Py_XDECREF(self->who);
    Py_XDECREF(self->twin);
    Py_XDECREF(self->name);
    Py_XDECREF(self->table);
    Py_XDECREF(self->time_names);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyTypeObject PlanType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "gemel.core._fast.Plan",
    .tp_basicsize = sizeof(Plan),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_new = PyType_GenericNew,
    .tp_dealloc = (destructor)plan_free,
    .tp_members = plan_members,
};

/* ---- Messages: a list of messages that makes its items only when they are asked for ----------- */

typedef struct {
    PyObject *message; /* as it was appended; else NULL, and it lies in `data` */
    PyObject *topic, *who, *data;
    Py_ssize_t offset;
    int64_t received;
    uint32_t length;
    uint16_t packet;
    uint8_t flags;
} Item;

typedef struct {
    PyObject_HEAD
    Item *items;
    Py_ssize_t count, room;
} Messages;

static PyObject *message_type; /* gemel.core.message.Message */

static int
messages_grow(Messages *self)
{
    if (self->count < self->room)
        return 0;
    Py_ssize_t room = self->room ? 2 * self->room : 64;
    if (room > PY_SSIZE_T_MAX / (Py_ssize_t)sizeof(Item)) {
        PyErr_NoMemory();
        return -1;
    }
    Item *items = PyMem_Realloc(self->items, (size_t)room * sizeof(Item));
    if (items == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    self->items = items;
    self->room = room;
    return 0;
}

static PyObject *
messages_append(Messages *self, PyObject *message)
{
    if (!PyTuple_Check(message) || PyTuple_GET_SIZE(message) != 5) {
        PyErr_SetString(PyExc_TypeError, "a Message is wanted");
        return NULL;
    }
    if (messages_grow(self) < 0)
        return NULL;
    Py_INCREF(message);
    self->items[self->count++] = (Item){.message = message};
    Py_RETURN_NONE;
}

static PyObject *
payload_of(const Item *item)
{
    const char *data = PyBytes_AS_STRING(item->data);
    return PyBytes_FromStringAndSize(data + item->offset, item->length);
}

static PyObject *
messages_item(Messages *self, Py_ssize_t index)
{
    if (index < 0 || index >= self->count) {
        PyErr_SetString(PyExc_IndexError, "there are not so many messages");
        return NULL;
    }
    Item *item = &self->items[index];
    if (item->message != NULL)
        return Py_NewRef(item->message);
    PyObject *payload = payload_of(item);
    if (payload == NULL)
        return NULL;
    PyObject *received = PyLong_FromLongLong(item->received);
    if (received == NULL) {
        Py_DECREF(payload);
        return NULL;
    }
    PyObject *topic = Py_NewRef(item->topic), *who = Py_NewRef(item->who);
    PyObject *made = PyObject_CallFunctionObjArgs(message_type, topic, payload, received, who, NULL);
    Py_DECREF(topic);
    Py_DECREF(who);
    Py_DECREF(received);
    Py_DECREF(payload);
    return made;
}

static PyObject *
messages_packet(Messages *self, PyObject *argument)
{
    Py_ssize_t index = PyLong_AsSsize_t(argument);
    if (index == -1 && PyErr_Occurred())
        return NULL;
    if (index < 0 || index >= self->count || self->items[index].message != NULL) {
        PyErr_SetString(PyExc_IndexError, "no message that was scanned is at this place");
        return NULL;
    }
    Item *item = &self->items[index];
    return Py_BuildValue("(iOiNO)", item->flags, item->topic, item->packet, payload_of(item),
                         Py_None);
}

static void
messages_free(Messages *self)
{
    for (Py_ssize_t i = 0; i < self->count; i++) {
        Item *item = &self->items[i];
        Py_XDECREF(item->message);
        Py_XDECREF(item->topic);
        Py_XDECREF(item->who);
        Py_XDECREF(item->data);
    }
    PyMem_Free(self->items);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static Py_ssize_t
messages_length(Messages *self)
{
    return self->count;
}

static PyMethodDef messages_methods[] = {
    {"append", (PyCFunction)messages_append, METH_O, NULL},
    {"packet", (PyCFunction)messages_packet, METH_O, NULL},
    {NULL},
};
static PySequenceMethods messages_sequence = {
    .sq_length = (lenfunc)messages_length,
    .sq_item = (ssizeargfunc)messages_item,
};
static PyTypeObject MessagesType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "gemel.core._fast.Messages",
    .tp_basicsize = sizeof(Messages),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_SEQUENCE,
    .tp_new = PyType_GenericNew,
    .tp_dealloc = (destructor)messages_free,
    .tp_methods = messages_methods,
    .tp_as_sequence = &messages_sequence,
};

/* ---- scan: PUBLISH packets of known topics ---------------------------------------------------- */

typedef struct {
    size_t topic, topic_length, payload, end;
    uint16_t packet;
    uint8_t flags;
} Frame;

/* The PUBLISH at `at` if it is whole, QoS 0 or 1, not retained and without properties. */
static int
read_frame(const uint8_t *data, size_t size, size_t at, int is_five, size_t maximum, Frame *frame)
{
    if (size - at < 2)
        return LEFT;
    uint8_t first = data[at];
    if (first != 0x30 && first != 0x32 && first != 0x3a)
        return LEFT;
    size_t length = 0, here = at + 1;
    for (int shift = 0;; shift += 7) {
        if (shift > 21 || here >= size)
            return LEFT;
        uint8_t byte = data[here++];
        length |= (size_t)(byte & 127) << shift;
        if (byte < 128) {
            if (byte == 0 && shift)
                return LEFT;
            break;
        }
    }
    if (length > maximum || length > size - here || length < 2)
        return LEFT;
    size_t end = here + length;
    size_t topic_length = (size_t)data[here] << 8 | data[here + 1];
    here += 2;
    if (topic_length == 0 || topic_length > end - here)
        return LEFT;
    frame->topic = here;
    frame->topic_length = topic_length;
    here += topic_length;
    frame->packet = 0;
    if (first != 0x30) {
        if (end - here < 2)
            return LEFT;
        frame->packet = (uint16_t)(data[here] << 8 | data[here + 1]);
        here += 2;
        if (frame->packet == 0)
            return LEFT;
    }
    if (is_five) {
        if (here == end || data[here] != 0)
            return LEFT;
        here++;
    }
    frame->payload = here;
    frame->end = end;
    frame->flags = first & 15;
    return TAKEN;
}

static PyObject *
fast_scan(PyObject *module, PyObject *args)
{
    Messages *messages;
    PyObject *data, *topics, *who;
    int is_five;
    Py_ssize_t maximum, quota;
    long long now;
    if (!PyArg_ParseTuple(args, "O!O!pnO!nOL", &MessagesType, &messages, &PyBytes_Type, &data,
                          &is_five, &maximum, &PyDict_Type, &topics, &quota, &who, &now))
        return NULL;
    const uint8_t *bytes = (const uint8_t *)PyBytes_AS_STRING(data);
    size_t size = (size_t)PyBytes_GET_SIZE(data), at = 0;
    Py_ssize_t before = messages->count, acks = 0;
    PyObject *topic = NULL; /* borrowed: `topics` keeps it, and is not changed here */
    Frame last = {0}, frame;
    while (read_frame(bytes, size, at, is_five, maximum < 0 ? 0 : (size_t)maximum, &frame)) {
        if (frame.flags & 2 && acks >= quota)
            break;
        if (frame.end - frame.payload > UINT32_MAX)
            break;
        if (topic == NULL || last.topic_length != frame.topic_length ||
            memcmp(bytes + last.topic, bytes + frame.topic, frame.topic_length)) {
            PyObject *key = PyBytes_FromStringAndSize((const char *)bytes + frame.topic,
                                                      (Py_ssize_t)frame.topic_length);
            if (key == NULL)
                return NULL;
            topic = PyDict_GetItemWithError(topics, key);
            Py_DECREF(key);
            if (topic == NULL && PyErr_Occurred())
                return NULL;
            if (topic == NULL)
                break;
        }
        if (messages_grow(messages) < 0)
            return NULL;
        messages->items[messages->count++] = (Item){
            NULL, Py_NewRef(topic), Py_NewRef(who), Py_NewRef(data), (Py_ssize_t)frame.payload, now,
            (uint32_t)(frame.end - frame.payload), frame.packet, frame.flags};
        acks += frame.flags >> 1 & 1;
        last = frame;
        at = frame.end;
    }
    PyObject *answer = PyBytes_FromStringAndSize(NULL, 4 * acks);
    if (answer == NULL)
        return NULL;
    char *out = PyBytes_AS_STRING(answer);
    for (Py_ssize_t i = before; i < messages->count; i++) {
        const Item *item = &messages->items[i];
        if (item->flags & 2) {
            *out++ = 0x40;
            *out++ = 2;
            *out++ = (char)(item->packet >> 8);
            *out++ = (char)(item->packet & 255);
        }
    }
    return Py_BuildValue("(nnN)", (Py_ssize_t)at, messages->count - before, answer);
}

/* ---- numbers and times ------------------------------------------------------------------------ */

typedef struct {
    const char *p, *end;
} Text;

static inline void
space(Text *text)
{
    while (text->p < text->end &&
           (*text->p == ' ' || *text->p == '\n' || *text->p == '\t' || *text->p == '\r'))
        text->p++;
}

/* Whether this character comes next; takes it and the space after it. */
static inline int
take(Text *text, char wanted)
{
    if (text->p == text->end || *text->p != wanted)
        return 0;
    text->p++;
    space(text);
    return 1;
}

static inline int
next_is(const Text *text, char wanted)
{
    return text->p < text->end && *text->p == wanted;
}

static inline int
is_digit(const char *p, const char *end)
{
    return p < end && (uint8_t)(*p - '0') < 10;
}

static const double TENS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                              1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

#ifdef __SIZEOF_INT128__
/* number / 10^places, correctly rounded; number > 0, 0 < places < 20. */
static double
ratio(uint64_t number, int places)
{
    uint64_t divisor = 1;
    for (int i = 0; i < places; i++)
        divisor *= 10;
    int up = __builtin_clzll(number), down = __builtin_clzll(divisor);
    divisor <<= down;
    unsigned __int128 whole = (unsigned __int128)(number << up) << 63;
    uint64_t quotient = (uint64_t)(whole / divisor); /* 2^62 < quotient < 2^64 */
    int is_more = whole % divisor != 0;
    int shift = 11 - __builtin_clzll(quotient);
    uint64_t rest = quotient & ((UINT64_C(1) << shift) - 1), half = UINT64_C(1) << (shift - 1);
    uint64_t kept = quotient >> shift;
    if (rest > half || (rest == half && (is_more || kept & 1)))
        kept++;
    return ldexp((double)kept, shift - 63 + down - up);
}
#endif

/* The number that is written from `begin` to `end`, by Python's own correctly rounded reader. */
static int
read_slowly(const char *begin, const char *end, double *fraction)
{
    char copy[64];
    if ((size_t)(end - begin) >= sizeof copy)
        return LEFT;
    memcpy(copy, begin, (size_t)(end - begin));
    copy[end - begin] = 0;
    *fraction = PyOS_string_to_double(copy, NULL, NULL);
    if (*fraction == -1.0 && PyErr_Occurred()) {
        PyErr_Clear();
        return LEFT;
    }
    return isfinite(*fraction) ? 2 : LEFT;
}

/* A JSON number: 1 a whole one, 2 one with a fraction or exponent, LEFT neither or too large. */
static int
read_number(Text *text, int64_t *whole, double *fraction)
{
    const char *p = text->p, *begin = p, *end = text->end;
    int is_negative = 0, is_long = 0, is_whole = 1;
    uint64_t digits = 0;
    long places = 0, power = 0;
    if (p < end && *p == '-') {
        is_negative = 1;
        p++;
    }
    if (!is_digit(p, end))
        return LEFT;
    if (*p == '0' && is_digit(p + 1, end))
        return LEFT;
    for (; is_digit(p, end); p++) {
        is_long |= digits > 900000000000000000u;
        digits = digits * 10 + (uint64_t)(*p - '0');
    }
    if (p < end && *p == '.') {
        is_whole = 0;
        const char *dot = p++;
        if (!is_digit(p, end))
            return LEFT;
        for (; is_digit(p, end); p++) {
            is_long |= digits > 900000000000000000u;
            digits = digits * 10 + (uint64_t)(*p - '0');
        }
        places = (long)(p - dot - 1);
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        is_whole = 0;
        p++;
        int is_small = p < end && *p == '-';
        if (p < end && (*p == '-' || *p == '+'))
            p++;
        if (!is_digit(p, end))
            return LEFT;
        for (; is_digit(p, end); p++)
            if (power < 100000)
                power = power * 10 + (*p - '0');
        power = is_small ? -power : power;
    }
    text->p = p;
    if (is_whole) {
        if (is_long)
            return LEFT;
        *whole = is_negative ? -(int64_t)digits : (int64_t)digits;
        return 1;
    }
    power -= places;
    double found;
    if (is_long || FLT_EVAL_METHOD != 0)
        return read_slowly(begin, p, fraction);
    if (digits < EXACT && power <= 0 && power >= -22)
        found = (double)digits / TENS[-power];
    else if (digits < EXACT && power > 0 && power <= 22)
        found = (double)digits * TENS[power];
#ifdef __SIZEOF_INT128__
    else if (digits && power < 0 && power > -20)
        found = ratio(digits, (int)-power);
#endif
    else
        return read_slowly(begin, p, fraction);
    *fraction = is_negative ? -found : found;
    return 2;
}

/* Nanoseconds in the unit that the size of a whole number tells (times.py). */
static int64_t
unit_of(int64_t raw)
{
    if (raw < 100000000000LL)
        return 1000000000LL;
    if (raw < 100000000000000LL)
        return 1000000LL;
    return raw < 100000000000000000LL ? 1000LL : 1LL;
}

static int
digits_of(const char *p, int count)
{
    int found = 0;
    for (int i = 0; i < count; i++) {
        if (!is_digit(p + i, p + count))
            return -1;
        found = found * 10 + (p[i] - '0');
    }
    return found;
}

/* "2026-11-22T10:00:00.123Z" with 0 to 9 digits of a fraction, and nothing else. */
static int
read_iso(Text *text, int64_t *moment)
{
    static const int8_t LONGEST[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const char *p = text->p;
    if (text->end - p < 22 || p[0] != '"' || p[5] != '-' || p[8] != '-' || p[11] != 'T' ||
        p[14] != ':' || p[17] != ':')
        return LEFT;
    int year = digits_of(p + 1, 4), month = digits_of(p + 6, 2), day = digits_of(p + 9, 2);
    int hour = digits_of(p + 12, 2), minute = digits_of(p + 15, 2), second = digits_of(p + 18, 2);
    if (year < 1970 || year > 2261 || month < 1 || month > 12 || day < 1 ||
        day > LONGEST[month - 1] || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
        second < 0 || second > 59)
        return LEFT;
    int is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (month == 2 && day == 29 && !is_leap)
        return LEFT;
    p += 20;
    int64_t fraction = 0;
    if (*p == '.') {
        int count = 0;
        for (p++; is_digit(p, text->end) && count < 9; p++, count++)
            fraction = fraction * 10 + (*p - '0');
        if (count == 0)
            return LEFT;
        for (; count < 9; count++)
            fraction *= 10;
    }
    if (text->end - p < 2 || p[0] != 'Z' || p[1] != '"')
        return LEFT;
    text->p = p + 2;
    int64_t y = month <= 2 ? year - 1 : year, m = month <= 2 ? month + 9 : month - 3;
    int64_t era = y / 400, of_era = y - era * 400;
    int64_t days = era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 +
                   (153 * m + 2) / 5 + day - 1 - 719468;
    *moment = (days * 86400 + hour * 3600 + minute * 60 + second) * 1000000000LL + fraction;
    return TAKEN;
}

/* A time that is not after `limit`, in ns. */
static int
read_moment(Text *text, int64_t limit, int64_t *moment)
{
    if (next_is(text, '"'))
        return read_iso(text, moment) && *moment <= limit;
    int64_t whole = 0;
    double raw = 0;
    int kind = read_number(text, &whole, &raw);
    if (kind == 1) {
        if (whole < 0 || whole > limit / unit_of(whole))
            return LEFT;
        *moment = whole * unit_of(whole);
        return TAKEN;
    }
    if (kind != 2 || !(raw >= 0 && raw < 1e14))
        return LEFT;
    whole = (int64_t)raw;
    double rest = raw - (double)whole; /* read to the us, as read_time does */
    int64_t unit = raw < 1e11 ? 1000000000LL : 1000000LL;
    if (whole > limit / unit)
        return LEFT;
    int64_t more = (int64_t)rint(rest * (raw < 1e11 ? 1e6 : 1e3)) * 1000;
    *moment = whole * unit;
    if (more > limit - *moment)
        return LEFT;
    *moment += more;
    return TAKEN;
}

/* ---- payloads ------------------------------------------------------------------------------- */

typedef struct {
    int64_t *slots, *times;
    double *values;
    size_t count, room;
    int64_t *moments; /* of the message at hand */
    size_t moment_count, moment_room;
    int64_t limit;
    Names *names;
    PyObject *time_names;
} Work;

static int
more_room(void **column, size_t room)
{
    void *more = room > SIZE_MAX / 8 ? NULL : PyMem_Realloc(*column, room * 8);
    if (more == NULL) {
        PyErr_NoMemory();
        return FAILED;
    }
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
    work->slots[work->count] = slot;
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
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(work->time_names); i++) {
        Py_ssize_t size;
        const char *name = PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(work->time_names, i), &size);
        if (name == NULL)
            PyErr_Clear();
        else if ((size_t)size == length && !memcmp(begin, name, length))
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
            if (where == UNDER_TIME)
                return LEFT;
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
        if (where == UNDER_TIME)
            return LEFT;
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
read_payload(Work *work, const Plan *plan, Text *text, int64_t received)
{
    int found = LEFT;
    space(text);
    Py_ssize_t length;
    const char *name = PyUnicode_AsUTF8AndSize(plan->name, &length);
    if (name == NULL) {
        PyErr_Clear();
        return LEFT;
    }
    if (length) {
        double value = 0;
        uint32_t place = names_find(work->names, name, (size_t)length);
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

/* ---- decode --------------------------------------------------------------------------------- */

typedef struct {
    PyObject *topic, *who; /* borrowed */
    Text payload;
    int64_t received;
} Letter;

static int
open_letter(PyObject *messages, Py_ssize_t index, Letter *letter)
{
    PyObject *message;
    if (Py_TYPE(messages) == &MessagesType) {
        const Item *item = &((Messages *)messages)->items[index];
        if (item->message == NULL) {
            const char *data = PyBytes_AS_STRING(item->data) + item->offset;
            *letter = (Letter){item->topic, item->who, {data, data + item->length}, item->received};
            return TAKEN;
        }
        message = item->message;
    } else {
        message = PyList_GET_ITEM(messages, index);
    }
    if (!PyTuple_Check(message) || PyTuple_GET_SIZE(message) != 5)
        return LEFT;
    PyObject *payload = PyTuple_GET_ITEM(message, 1), *type = PyTuple_GET_ITEM(message, 4);
    PyObject *topic = PyTuple_GET_ITEM(message, 0), *received = PyTuple_GET_ITEM(message, 2);
    if (!PyBytes_CheckExact(payload) || !PyUnicode_CheckExact(type) || !PyLong_Check(received) ||
        !PyUnicode_CheckExact(topic))
        return LEFT;
    if (PyUnicode_GET_LENGTH(type) && !PyUnicode_EqualToUTF8(type, "application/json"))
        return LEFT;
    int is_over = 0;
    const char *data = PyBytes_AS_STRING(payload);
    *letter = (Letter){topic, PyTuple_GET_ITEM(message, 3),
                       {data, data + PyBytes_GET_SIZE(payload)},
                       PyLong_AsLongLongAndOverflow(received, &is_over)};
    return is_over ? LEFT : TAKEN;
}

static int
is_usable(const Plan *plan)
{
    return plan->who != NULL && plan->who != Py_None && plan->twin != NULL &&
           PyUnicode_CheckExact(plan->twin) && plan->name != NULL &&
           PyUnicode_CheckExact(plan->name) && plan->table != NULL &&
           Py_TYPE(plan->table) == &NamesType && plan->time_names != NULL &&
           PyTuple_CheckExact(plan->time_names);
}

/* Appends a column to an array.array of items of 8 bytes. */
static int
hand_over(PyObject *array, const void *column, size_t count)
{
    PyObject *view = PyMemoryView_FromMemory((char *)column, (Py_ssize_t)(count * 8), PyBUF_READ);
    if (view == NULL)
        return FAILED;
    PyObject *done = PyObject_CallMethod(array, "frombytes", "O", view);
    Py_DECREF(view);
    Py_XDECREF(done);
    return done == NULL ? FAILED : TAKEN;
}

/* Takes one message; LEFT with nothing changed if it is not plain. */
static int
take_letter(Work *work, const Letter *letter, const Plan *plan)
{
    size_t start = work->count;
    Text text = letter->payload;
    work->names = (Names *)plan->table;
    work->time_names = plan->time_names;
    int found = read_payload(work, plan, &text, letter->received);
    if (found != TAKEN)
        work->count = start;
    return found;
}

static Py_ssize_t
decode_from(Work *work, PyObject *messages, Py_ssize_t index, PyObject *routes, PyObject *seen)
{
    Py_ssize_t count = PySequence_Size(messages);
    PyObject *last_topic = NULL, *last_twin = NULL;
    Plan *plan = NULL;
    int64_t last_received = 0;
    for (; index < count; index++) {
        Letter letter;
        if (!open_letter(messages, index, &letter))
            break;
        if (letter.topic != last_topic) {
            plan = (Plan *)PyDict_GetItemWithError(routes, letter.topic);
            if (plan == NULL && PyErr_Occurred())
                return -1;
            if (plan == NULL || !PyObject_TypeCheck((PyObject *)plan, &PlanType) ||
                !is_usable(plan))
                break;
            last_topic = letter.topic;
        }
        if (plan->who != letter.who)
            break;
        int found = take_letter(work, &letter, plan);
        if (found == FAILED)
            return -1;
        if (found == LEFT)
            break;
        if (plan->twin != last_twin || letter.received != last_received) {
            PyObject *received = PyLong_FromLongLong(letter.received);
            if (received == NULL)
                return -1;
            int error = PyDict_SetItem(seen, plan->twin, received);
            Py_DECREF(received);
            if (error < 0)
                return -1;
            last_twin = plan->twin;
            last_received = letter.received;
        }
    }
    return index;
}

static PyObject *
fast_decode(PyObject *module, PyObject *args)
{
    PyObject *messages, *routes, *slots, *times, *values, *limit, *seen;
    Py_ssize_t start;
    int is_over = 0;
    if (!PyArg_ParseTuple(args, "OnO!OOOO!O!", &messages, &start, &PyDict_Type, &routes, &slots,
                          &times, &values, &PyLong_Type, &limit, &PyDict_Type, &seen))
        return NULL;
    if ((Py_TYPE(messages) != &MessagesType && !PyList_CheckExact(messages)) || start < 0)
        return PyLong_FromSsize_t(start);
    Work work = {.limit = PyLong_AsLongLongAndOverflow(limit, &is_over)};
    if (is_over)
        work.limit = is_over > 0 ? INT64_MAX : 0;
    Py_ssize_t index = decode_from(&work, messages, start, routes, seen);
    if (index >= 0 && work.count &&
        (hand_over(slots, work.slots, work.count) < 0 ||
         hand_over(times, work.times, work.count) < 0 ||
         hand_over(values, work.values, work.count) < 0))
        index = -1;
    PyMem_Free(work.slots);
    PyMem_Free(work.times);
    PyMem_Free(work.values);
    PyMem_Free(work.moments);
    return index < 0 ? NULL : PyLong_FromSsize_t(index);
}
