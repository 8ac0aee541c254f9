/* From messages to columns, until one is not plain. */

/* A payload of so many bytes is read without the GIL: some 0.1 ms for the other threads. */
#ifndef GEMEL_LONG
#define GEMEL_LONG 65536
#endif

typedef struct {
    PyObject *topic, *who, *data; /* borrowed */
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
            *letter = (Letter){item->topic, item->who, item->data, {data, data + item->length},
                               item->received};
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
    *letter = (Letter){topic, PyTuple_GET_ITEM(message, 3), payload,
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
           PyTuple_CheckExact(plan->time_names) &&
           PyTuple_GET_SIZE(plan->time_names) <= MOST_TIME_NAMES;
}

/* The UTF-8 of a text; none of a lone surrogate, which JSON cannot bring. */
static int
open_word(PyObject *text, Word *word)
{
    word->text = PyUnicode_AsUTF8AndSize(text, &word->length);
    if (word->text == NULL)
        PyErr_Clear();
    return word->text != NULL;
}

/* Whether the messages of this topic can be plain. */
static int
open_plan(Work *work, const Plan *plan)
{
    if (!is_usable(plan) || !open_word(plan->name, &work->name))
        return LEFT;
    work->names = (Names *)plan->table;
    work->first = plan->first;
    work->time_count = 0;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(plan->time_names); i++)
        work->time_count += open_word(PyTuple_GET_ITEM(plan->time_names, i),
                                      &work->time_names[work->time_count]);
    return TAKEN;
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

/* Reads a long payload without the GIL; what it reads from is kept, and no other call uses it. */
static int
read_long(Work *work, Text *text, const Letter *letter, const Plan *plan)
{
    PyObject *kept = PyTuple_Pack(4, letter->data, plan->name, plan->table, plan->time_names);
    if (kept == NULL)
        return FAILED;
    int found;
    work->names->is_in_use = 1;
    Py_BEGIN_ALLOW_THREADS
    found = read_payload(work, text, letter->received);
    Py_END_ALLOW_THREADS
    work->names->is_in_use = 0;
    Py_DECREF(kept);
    return found;
}

static int
is_long(const Letter *letter)
{
    return letter->payload.end - letter->payload.p >= GEMEL_LONG;
}

/* Takes one message; LEFT with nothing changed if it is not plain. */
static int
take_letter(Work *work, const Letter *letter, const Plan *plan)
{
    size_t start = work->count;
    Text text = letter->payload;
    if (work->names->is_in_use)
        return LEFT;
    int found = is_long(letter) ? read_long(work, &text, letter, plan)
                                : read_payload(work, &text, letter->received);
    if (found != TAKEN)
        work->count = start;
    return found;
}

/* The plan of a topic, a new reference; NULL if its messages are not plain. */
static Plan *
find_plan(Work *work, PyObject *routes, PyObject *topic)
{
    PyObject *plan = PyDict_GetItemWithError(routes, topic);
    if (plan == NULL || !PyObject_TypeCheck(plan, &PlanType) || !open_plan(work, (Plan *)plan))
        return NULL;
    return (Plan *)Py_NewRef(plan);
}

/* Notes when a twin was heard of. */
static int
note_seen(PyObject *seen, PyObject *twin, int64_t at)
{
    PyObject *received = PyLong_FromLongLong(at);
    int error = received == NULL || PyDict_SetItem(seen, twin, received) < 0;
    Py_XDECREF(received);
    return error ? FAILED : TAKEN;
}

static Py_ssize_t
decode_from(Work *work, PyObject *messages, Py_ssize_t index, PyObject *routes, PyObject *seen)
{
    PyObject *last_topic = NULL, *last_twin = NULL;
    Plan *plan = NULL;
    int64_t last_received = 0;
    int found = TAKEN;
    for (; index < PySequence_Size(messages); index++) {
        Letter letter;
        if (!open_letter(messages, index, &letter))
            break;
        if (letter.topic != last_topic) {
            Py_XDECREF(plan);
            plan = find_plan(work, routes, letter.topic);
            last_topic = letter.topic;
        }
        if (plan == NULL || plan->who != letter.who)
            break;
        found = take_letter(work, &letter, plan);
        if (found == FAILED)
            PyErr_NoMemory();
        if (found != TAKEN)
            break;
        if (plan->twin != last_twin || letter.received != last_received) {
            found = note_seen(seen, plan->twin, letter.received);
            last_twin = plan->twin;
            last_received = letter.received;
        }
        if (found == FAILED)
            break;
        if (is_long(&letter))
            last_topic = last_twin = NULL; /* others have run: nothing is as it was */
    }
    Py_XDECREF(plan);
    return found == FAILED || PyErr_Occurred() ? -1 : index;
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
    PyMem_RawFree(work.slots);
    PyMem_RawFree(work.times);
    PyMem_RawFree(work.values);
    PyMem_RawFree(work.moments);
    return index < 0 ? NULL : PyLong_FromSsize_t(index);
}
