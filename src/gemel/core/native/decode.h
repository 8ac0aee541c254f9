/* From messages to columns, until one is not plain. */

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
    if (PyUnicode_GET_LENGTH(type) && PyUnicode_CompareWithASCIIString(type, "application/json"))
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
    work->first = plan->first;
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
