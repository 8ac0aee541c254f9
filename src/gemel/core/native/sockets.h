/* Many sockets at a time: one call reads from all that have something, one writes to all.
 * Both are for Linux; elsewhere nobody finds them. */
#ifdef __linux__
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { AT_ONCE = 256, OF_ONE = 65536, OF_ALL = 1 << 20 };

typedef struct {
    PyObject *owner; /* a reference of its own */
    int descriptor;
    size_t offset;
    ssize_t size; /* as recv gave it; -1 once more means later */
} Arrival;

static char *spare; /* what a call reads into; taken and given back with the GIL held */

/* Reads without the GIL, so much in all; what there is no room for is there at the next call. */
static size_t
read_all(Arrival *arrivals, int count, char *buffer)
{
    size_t used = 0;
    for (int i = 0; i < count; i++) {
        Arrival *one = &arrivals[i];
        one->offset = used;
        one->size = -1;
        if (OF_ALL - used < OF_ONE)
            continue;
        one->size = recv(one->descriptor, buffer + used, OF_ONE, MSG_DONTWAIT);
        if (one->size < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
            one->size = 0;
        if (one->size > 0)
            used += (size_t)one->size;
    }
    return used;
}

/* Appends to a list, and lets go of what is appended. */
static int
append(PyObject *list, PyObject *one)
{
    int result = one == NULL ? -1 : PyList_Append(list, one);
    Py_XDECREF(one);
    return result;
}

/* Shares out what was read: plain packets to `runs`, all else to `rests`. How many bytes the runs
 * are; -1 with an error set. */
static Py_ssize_t
share_out(const Arrival *arrivals, int count, PyObject *data, Messages *messages, int64_t now,
          PyObject *runs, PyObject *rests)
{
    Py_ssize_t size = 0;
    for (int i = 0; i < count; i++) {
        const Arrival *one = &arrivals[i];
        Line *line = (Line *)one->owner;
        size_t at = one->offset, end = at + (one->size > 0 ? (size_t)one->size : 0);
        if (one->size < 0)
            continue;
        if (line->is_plain && line->topics != NULL && PyDict_CheckExact(line->topics)) {
            PyObject *acks;
            Py_ssize_t first = messages->count;
            Py_ssize_t taken = take_frames(messages, data, &at, end, line, now, &acks);
            if (taken < 0)
                return -1;
            size += (Py_ssize_t)(at - one->offset);
            line->unacknowledged += PyBytes_GET_SIZE(acks) / 4;
            if (taken == 0)
                Py_DECREF(acks);
            else if (append(runs, Py_BuildValue("(OnnN)", line, first, taken, acks)) < 0)
                return -1;
            if (at == end && end > one->offset)
                continue;
        }
        const char *rest = PyBytes_AS_STRING(data) + at;
        if (append(rests, Py_BuildValue("(Oy#)", line, rest, (Py_ssize_t)(end - at))) < 0)
            return -1;
    }
    return size;
}

/* The owners of what is ready, with a reference to each; -1 with an error set. */
static int
find_owners(int poll, PyObject *owners, Arrival *arrivals, int most)
{
    struct epoll_event events[AT_ONCE];
    int ready = epoll_wait(poll, events, most, 0), count = 0;
    if (ready < 0 && errno != EINTR) {
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    for (int i = 0; i < ready; i++) {
        PyObject *key = PyLong_FromLong(events[i].data.fd);
        PyObject *owner = key == NULL ? NULL : PyDict_GetItemWithError(owners, key);
        Py_XDECREF(key);
        if (owner != NULL && PyObject_TypeCheck(owner, &LineType))
            arrivals[count++] = (Arrival){Py_NewRef(owner), events[i].data.fd, 0, 0};
        else if (owner != NULL)
            PyErr_SetString(PyExc_TypeError, "a Line is wanted");
        if (PyErr_Occurred()) {
            while (count)
                Py_DECREF(arrivals[--count].owner);
            return -1;
        }
    }
    return count;
}

static PyObject *
fast_receive(PyObject *module, PyObject *args)
{
    int poll, most;
    PyObject *owners;
    Messages *messages;
    long long now;
    Arrival arrivals[AT_ONCE];
    if (!PyArg_ParseTuple(args, "iO!O!Li", &poll, &PyDict_Type, &owners, &MessagesType, &messages,
                          &now, &most))
        return NULL;
    int count = find_owners(poll, owners, arrivals, most < 1 || most > AT_ONCE ? AT_ONCE : most);
    if (count < 0)
        return NULL;
    PyObject *runs = PyList_New(0), *rests = PyList_New(0), *data = NULL;
    char *buffer = spare == NULL ? PyMem_RawMalloc(OF_ALL) : spare;
    spare = NULL;
    size_t used = 0;
    if (buffer != NULL) {
        Py_BEGIN_ALLOW_THREADS
        used = read_all(arrivals, count, buffer);
        Py_END_ALLOW_THREADS
        data = PyBytes_FromStringAndSize(buffer, (Py_ssize_t)used);
        if (spare == NULL)
            spare = buffer;
        else
            PyMem_RawFree(buffer);
    } else {
        PyErr_NoMemory();
    }
    Py_ssize_t size = -1;
    if (runs != NULL && rests != NULL && data != NULL)
        size = share_out(arrivals, count, data, messages, now, runs, rests);
    for (int i = 0; i < count; i++)
        Py_DECREF(arrivals[i].owner);
    Py_XDECREF(data);
    if (size >= 0)
        return Py_BuildValue("(NNnN)", runs, rests, size, PyBool_FromLong(OF_ALL - used < OF_ONE));
    Py_XDECREF(runs);
    Py_XDECREF(rests);
    return NULL;
}

static PyObject *
fast_transmit(PyObject *module, PyObject *list)
{
    PyObject *pieces = PySequence_Tuple(list); /* ours: nobody takes one out meanwhile */
    if (pieces == NULL)
        return NULL;
    Py_ssize_t count = PyTuple_GET_SIZE(pieces);
    struct Piece {
        const char *bytes;
        Py_ssize_t size, sent;
        int descriptor;
    } *all = PyMem_New(struct Piece, (size_t)count + 1);
    PyObject *left = all == NULL ? PyErr_NoMemory() : PyList_New(0);
    for (Py_ssize_t i = 0; i < count && left != NULL; i++) {
        PyObject *data;
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(pieces, i), "iS", &all[i].descriptor, &data)) {
            Py_CLEAR(left);
            break;
        }
        all[i].bytes = PyBytes_AS_STRING(data);
        all[i].size = PyBytes_GET_SIZE(data);
    }
    if (left != NULL) {
        Py_BEGIN_ALLOW_THREADS
        for (Py_ssize_t i = 0; i < count; i++) {
            int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
            all[i].sent = send(all[i].descriptor, all[i].bytes, (size_t)all[i].size, flags);
        }
        Py_END_ALLOW_THREADS
    }
    for (Py_ssize_t i = 0; i < count && left != NULL; i++) {
        if (all[i].sent == all[i].size)
            continue;
        PyObject *pair = Py_BuildValue("(nn)", i, all[i].sent < 0 ? 0 : all[i].sent);
        if (pair == NULL || PyList_Append(left, pair) < 0)
            Py_CLEAR(left);
        Py_XDECREF(pair);
    }
    PyMem_Free(all);
    Py_DECREF(pieces);
    return left;
}
#endif
