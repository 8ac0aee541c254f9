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

enum { TAKEN = 1, LEFT = 0, FAILED = -1 };

#include "names.h"
#include "messages.h"
#include "scan.h"
#include "numbers.h"
#include "payloads.h"
#include "decode.h"
#include "columns.h"
#include "judge.h"
#include "ranks.h"
#include "sockets.h"

static PyMethodDef functions[] = {
    {"scan", fast_scan, METH_VARARGS, NULL},
    {"decode", fast_decode, METH_VARARGS, NULL},
    {"judge", fast_judge, METH_VARARGS, NULL},
    {"mark_repeated", fast_mark_repeated, METH_VARARGS, NULL},
    {"percentiles", fast_percentiles, METH_VARARGS, NULL},
    {"slide", fast_slide, METH_VARARGS, NULL},
#ifdef __linux__
    {"receive", fast_receive, METH_VARARGS, NULL},
    {"transmit", fast_transmit, METH_O, NULL},
#endif
    {NULL},
};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "gemel.core._fast",
    .m_size = -1,
    .m_methods = functions,
};

PyMODINIT_FUNC
PyInit__fast(void)
{
    PyObject *source = PyImport_ImportModule("gemel.core.message");
    if (source == NULL)
        return NULL;
    message_type = PyObject_GetAttrString(source, "Message");
    Py_DECREF(source);
    PyObject *salt = PyUnicode_FromString("gemel.core._fast");
    if (message_type == NULL || salt == NULL)
        return NULL;
    seed = mix((uint64_t)PyObject_Hash(salt) ^ (uint64_t)(uintptr_t)salt);
    Py_DECREF(salt);
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL || PyModule_AddType(module, &NamesType) < 0 ||
        PyModule_AddIntConstant(module, "VERSION", 9) < 0 || /* as in core/fast.py */
        PyModule_AddType(module, &PlanType) < 0 || PyModule_AddType(module, &LineType) < 0 ||
        PyModule_AddType(module, &MessagesType) < 0) {
        Py_XDECREF(module);
        return NULL;
    }
    return module;
}
