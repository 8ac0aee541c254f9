/* What a source may call its values, and what a topic means. */

enum { FRACTION = 1, WHOLE = 2, BOOLEAN = 4 };

#define NONE UINT32_MAX

/* Names: what a source may call its values */

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
    char is_in_use; /* by a payload that is read without the GIL */
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
    if (self->is_in_use) {
        PyErr_SetString(PyExc_RuntimeError, "names are added while a payload is read");
        return NULL;
    }
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

/* Plan: what a topic means */

typedef struct {
    PyObject_HEAD
    PyObject *who, *twin, *name, *table, *time_names;
    int first; /* the twin's first slot */
} Plan;

static PyMemberDef plan_members[] = {
    {"first", T_INT, offsetof(Plan, first), 0, NULL},
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
