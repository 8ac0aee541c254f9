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

/* Reads without the GIL; what there is no room for is there at the next call. */
static void
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
}

static PyObject *
fast_receive(PyObject *module, PyObject *args)
{
    int poll;
    PyObject *owners;
    struct epoll_event events[AT_ONCE];
    Arrival arrivals[AT_ONCE];
    if (!PyArg_ParseTuple(args, "iO!", &poll, &PyDict_Type, &owners))
        return NULL;
    int ready = epoll_wait(poll, events, AT_ONCE, 0), count = 0;
    if (ready < 0 && errno != EINTR)
        return PyErr_SetFromErrno(PyExc_OSError);
    char *buffer = PyMem_RawMalloc(OF_ALL);
    if (buffer == NULL)
        return PyErr_NoMemory();
    PyObject *found = PyList_New(0);
    for (int i = 0; i < ready && found != NULL; i++) {
        PyObject *key = PyLong_FromLong(events[i].data.fd);
        PyObject *owner = key == NULL ? NULL : PyDict_GetItemWithError(owners, key);
        Py_XDECREF(key);
        if (owner != NULL)
            arrivals[count++] = (Arrival){Py_NewRef(owner), events[i].data.fd, 0, 0};
        else if (PyErr_Occurred())
            Py_CLEAR(found);
    }
    if (found != NULL) {
        Py_BEGIN_ALLOW_THREADS
        read_all(arrivals, count, buffer);
        Py_END_ALLOW_THREADS
    }
    for (int i = 0; i < count; i++) {
        Arrival *one = &arrivals[i];
        if (found != NULL && one->size >= 0) {
            PyObject *pair = Py_BuildValue("(Oy#)", one->owner, buffer + one->offset, one->size);
            if (pair == NULL || PyList_Append(found, pair) < 0)
                Py_CLEAR(found);
            Py_XDECREF(pair);
        }
        Py_DECREF(one->owner);
    }
    PyMem_RawFree(buffer);
    return found;
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
