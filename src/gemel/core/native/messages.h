/* A list of messages that makes its items only when they are asked for. */

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
