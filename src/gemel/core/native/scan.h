/* PUBLISH packets of known topics: from the bytes of a connection to messages. */

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

/* Whose bytes they are; connect/mqtt's connections are such. */
typedef struct {
    PyObject_HEAD
    PyObject *topics, *who;
    Py_ssize_t maximum, quota, unacknowledged;
    char is_five, is_plain;
} Line;

static PyMemberDef line_members[] = {
    {"known_topics", T_OBJECT, offsetof(Line, topics), 0, NULL},
    {"who", T_OBJECT, offsetof(Line, who), 0, NULL},
    {"maximum", T_PYSSIZET, offsetof(Line, maximum), 0, NULL},
    {"quota", T_PYSSIZET, offsetof(Line, quota), 0, NULL},
    {"unacknowledged", T_PYSSIZET, offsetof(Line, unacknowledged), 0, NULL},
    {"is_five", T_BOOL, offsetof(Line, is_five), 0, NULL},
    {"is_plain", T_BOOL, offsetof(Line, is_plain), 0, NULL},
    {NULL},
};

static void
line_free(Line *self)
{
    Py_XDECREF(self->topics);
    Py_XDECREF(self->who);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyTypeObject LineType = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "gemel.core._fast.Line",
    .tp_basicsize = sizeof(Line),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_new = PyType_GenericNew,
    .tp_dealloc = (destructor)line_free,
    .tp_members = line_members,
};

/* Takes the plain packets of data[*at:size]: how many, -1 with an error set; their PUBACKs. */
static Py_ssize_t
take_frames(Messages *messages, PyObject *data, size_t *at, size_t size, const Line *line,
            int64_t now, PyObject **answer)
{
    const uint8_t *bytes = (const uint8_t *)PyBytes_AS_STRING(data);
    Py_ssize_t before = messages->count, acks = 0;
    size_t maximum = line->maximum < 0 ? 0 : (size_t)line->maximum;
    PyObject *topic = NULL; /* borrowed: `topics` keeps it, and is not changed here */
    Frame last = {0}, frame;
    while (read_frame(bytes, size, *at, line->is_five, maximum, &frame)) {
        if (frame.flags & 2 && acks >= line->quota - line->unacknowledged)
            break;
        if (topic == NULL || last.topic_length != frame.topic_length ||
            memcmp(bytes + last.topic, bytes + frame.topic, frame.topic_length)) {
            PyObject *key = PyBytes_FromStringAndSize((const char *)bytes + frame.topic,
                                                      (Py_ssize_t)frame.topic_length);
            if (key == NULL)
                return -1;
            topic = PyDict_GetItemWithError(line->topics, key);
            Py_DECREF(key);
            if (topic == NULL && PyErr_Occurred())
                return -1;
            if (topic == NULL)
                break;
        }
        if (messages_grow(messages) < 0)
            return -1;
        messages->items[messages->count++] =
            (Item){NULL, Py_NewRef(topic), Py_NewRef(line->who), Py_NewRef(data),
                   (Py_ssize_t)frame.payload, now, (uint32_t)(frame.end - frame.payload),
                   frame.packet, frame.flags};
        acks += frame.flags >> 1 & 1;
        last = frame;
        *at = frame.end;
    }
    *answer = PyBytes_FromStringAndSize(NULL, 4 * acks);
    if (*answer == NULL)
        return -1;
    char *out = PyBytes_AS_STRING(*answer);
    for (Py_ssize_t i = before; i < messages->count; i++) {
        const Item *item = &messages->items[i];
        if (item->flags & 2) {
            *out++ = 0x40;
            *out++ = 2;
            *out++ = (char)(item->packet >> 8);
            *out++ = (char)(item->packet & 255);
        }
    }
    return messages->count - before;
}

static PyObject *
fast_scan(PyObject *module, PyObject *args)
{
    Messages *messages;
    PyObject *data, *answer;
    Line line = {.unacknowledged = 0};
    int is_five;
    Py_ssize_t start;
    long long now;
    if (!PyArg_ParseTuple(args, "O!O!npnO!nOL", &MessagesType, &messages, &PyBytes_Type, &data,
                          &start, &is_five, &line.maximum, &PyDict_Type, &line.topics,
                          &line.quota, &line.who, &now))
        return NULL;
    if (start < 0 || start > PyBytes_GET_SIZE(data)) {
        PyErr_SetString(PyExc_ValueError, "the start lies outside of the data");
        return NULL;
    }
    line.is_five = (char)is_five;
    size_t at = (size_t)start, size = (size_t)PyBytes_GET_SIZE(data);
    Py_ssize_t count = take_frames(messages, data, &at, size, &line, now, &answer);
    if (count < 0)
        return NULL;
    return Py_BuildValue("(nnN)", (Py_ssize_t)at, count, answer);
}
