/* Rules that compare one signal with a limit: each reading moves the instances that read it. */

enum {
    SERIES, TIME, VALUE, QUALITY, REST, /* by reading; REST is set where numpy must judge */
    START, PLAIN, NEWEST, KNOWN, SCRATCH, /* by signal: series + 1 */
    READER, /* by entry: the instances of a signal are READER[START[signal]] to START[signal + 1] */
    SIGN, LIMIT, BACK, SHIFT, ACTIVE, SINCE, MOMENT, HOLD, OFF, TWIN, /* by instance */
    TWIN_OF, /* by series; -1 for nobody's */
    SEEN, LAG, AWAITED, /* by twin */
    COLUMNS
};
static const char judge_widths[COLUMNS] = {4, 8, 8, 1, 1, 8, 1, 8, 8, 8, 8, 1, 8,
                                           8, 8, 1, 8, 8, 8, 8, 8, 8, 8, 8, 1};
enum { ABOVE = 1, AT_LEAST, BELOW, AT_MOST };
#define BAD 128
#define NEVER INT64_MIN

typedef struct {
    void *column[COLUMNS];
    int64_t readings, signals, twins, listened;
    int64_t received, delivery, earliest, sooner;
    PyObject *flips;
} Judge;

#define I64(name) ((int64_t *)judge->column[name])
#define F64(name) ((double *)judge->column[name])
#define U8(name) ((uint8_t *)judge->column[name])

static int64_t
plus(int64_t one, int64_t two)
{
    return (int64_t)((uint64_t)one + (uint64_t)two);
}

/* Notes that twins are alive, and how long their newest readings took; whether one was awaited. */
static int
judge_see(Judge *judge)
{
    const int32_t *series = judge->column[SERIES];
    const int64_t *time = I64(TIME), *twin_of = I64(TWIN_OF);
    int64_t *seen = I64(SEEN), *lag = I64(LAG);
    int is_awaited = 0;
    for (int round = 0; round < 2; round++)
        for (int64_t i = 0; i < judge->readings; i++) {
            int64_t twin = series[i] < judge->listened ? twin_of[series[i]] : -1;
            if (twin < 0 || twin >= judge->twins)
                continue;
            if (round == 0) {
                seen[twin] = time[i] > seen[twin] ? time[i] : seen[twin];
                is_awaited |= U8(AWAITED)[twin];
            } else if (time[i] == seen[twin]) {
                int64_t took = time[i] < judge->received ? judge->received - time[i] : 0;
                if (lag[twin] - took > judge->sooner)
                    judge->sooner = lag[twin] - took;
                lag[twin] = took;
            }
        }
    return is_awaited;
}

/* The signal of a reading that counts for a plain rule, else 0. */
static int64_t
judge_signal(Judge *judge, int64_t row)
{
    int64_t signal = (int64_t)((const int32_t *)judge->column[SERIES])[row] + 1;
    if (U8(QUALITY)[row] >= BAD || signal >= judge->signals ||
        I64(START)[signal] == I64(START)[signal + 1])
        return 0;
    if (!U8(PLAIN)[signal]) {
        U8(REST)[row] = 1;
        return 0;
    }
    if (!isfinite(F64(VALUE)[row]))
        return 0;
    if (I64(TIME)[row] < I64(NEWEST)[signal])
        U8(REST)[row] = 1; /* too late: it moves nothing, and numpy notes it */
    return I64(TIME)[row] > I64(NEWEST)[signal] ? signal : 0;
}

/* Whether every signal's times increase, and no instance is ahead of them. */
static int
judge_is_in_order(Judge *judge)
{
    int64_t *scratch = I64(SCRATCH), signal;
    for (int64_t row = 0; row < judge->readings; row++)
        if ((signal = judge_signal(judge, row)))
            scratch[signal] = I64(NEWEST)[signal];
    for (int64_t row = 0; row < judge->readings; row++)
        if ((signal = judge_signal(judge, row))) {
            int64_t time = I64(TIME)[row];
            if (time <= scratch[signal])
                return 0;
            if (scratch[signal] == I64(NEWEST)[signal])
                for (int64_t e = I64(START)[signal]; e < I64(START)[signal + 1]; e++)
                    if (time < I64(MOMENT)[I64(READER)[e]])
                        return 0;
            scratch[signal] = time;
        }
    return 1;
}

static int
holds(int sign, double value, double limit)
{
    return sign == ABOVE ? value > limit : sign == AT_LEAST ? value >= limit
         : sign == BELOW ? value < limit : value <= limit;
}

/* Tells of an instance: a flip, or (`is_raised` is None) a run that ended long after its delay. */
static int
judge_tell(Judge *judge, int64_t at, PyObject *is_raised, int64_t time, double value)
{
    PyObject *flip = Py_BuildValue("(LOLd)", (long long)at, is_raised, (long long)time, value);
    int failed = flip == NULL ? -1 : PyList_Append(judge->flips, flip);
    Py_XDECREF(flip);
    return failed;
}

/* One reading for one instance: the same as rules/runs.py does for columns. */
static int
judge_move(Judge *judge, int64_t at, int64_t time, double value)
{
    double limit = F64(LIMIT)[at], back = F64(BACK)[at];
    uint8_t *active = &U8(ACTIVE)[at], sign = U8(SIGN)[at];
    int64_t *since = &I64(SINCE)[at], begun = *since == NEVER ? time : *since;
    I64(MOMENT)[at] = time;
    int counts = *active ? !isnan(back) && !holds(sign, value + F64(SHIFT)[at], back)
                         : !isnan(limit) && holds(sign, value, limit);
    if (!counts && *since == NEVER)
        return 0;
    int64_t delay = *active ? I64(OFF)[at] : I64(HOLD)[at];
    int64_t beyond = plus(plus(time, -begun), -delay);
    if (!counts) {
        *since = NEVER;
        return beyond >= judge->delivery ? judge_tell(judge, at, Py_None, begun, value) : 0;
    }
    if (beyond < 0) {
        *since = begun;
        int64_t due = plus(plus(begun, delay), I64(LAG)[I64(TWIN)[at]]);
        judge->earliest = due < judge->earliest ? due : judge->earliest;
        return 0;
    }
    *active = !*active;
    *since = NEVER;
    int64_t told = beyond >= judge->delivery ? plus(begun, delay) : time;
    return judge_tell(judge, at, *active ? Py_True : Py_False, told, value);
}

static int
judge_all(Judge *judge)
{
    int64_t signal;
    for (int64_t row = 0; row < judge->readings; row++) {
        if (!(signal = judge_signal(judge, row)))
            continue;
        int64_t time = I64(TIME)[row];
        double value = F64(VALUE)[row];
        I64(NEWEST)[signal] = time;
        F64(KNOWN)[signal] = value;
        for (int64_t e = I64(START)[signal]; e < I64(START)[signal + 1]; e++)
            if (judge_move(judge, I64(READER)[e], time, value) < 0)
                return -1;
    }
    return 0;
}

/* Whether the columns are long enough for each other; what READER and TWIN name is trusted. */
static int
judge_opens(Judge *judge, const Column *columns)
{
    judge->readings = columns[SERIES].count;
    judge->signals = columns[PLAIN].count;
    judge->twins = columns[AWAITED].count;
    judge->listened = columns[TWIN_OF].count;
    int64_t instances = columns[TWIN].count;
    for (int i = 0; i < COLUMNS; i++) {
        int64_t least = i <= REST ? judge->readings : i == START ? judge->signals + 1
                      : i <= SCRATCH ? judge->signals : i == READER ? 0
                      : i <= TWIN ? instances : i == TWIN_OF ? 0 : judge->twins;
        judge->column[i] = columns[i].view.buf;
        if (columns[i].count < least)
            return 0;
    }
    return judge->signals > 0 && columns[READER].count >= I64(START)[judge->signals];
}

static PyObject *
fast_judge(PyObject *module, PyObject *args)
{
    PyObject *sources, *answer = NULL;
    long long received, delivery;
    if (!PyArg_ParseTuple(args, "O!LL", &PyTuple_Type, &sources, &received, &delivery))
        return NULL;
    Column columns[COLUMNS];
    Judge place = {.received = received, .delivery = delivery, .earliest = INT64_MAX};
    Judge *judge = &place;
    int opened = 0;
    while (opened < COLUMNS && PyTuple_GET_SIZE(sources) == COLUMNS &&
           open_column(PyTuple_GET_ITEM(sources, opened), &columns[opened], judge_widths[opened],
                       -1, opened <= QUALITY ? 0 : PyBUF_WRITABLE) == 0)
        opened++;
    if (opened == COLUMNS && judge_opens(judge, columns)) {
        judge->flips = PyList_New(0);
        int is_awaited = judge_see(judge);
        int is_judged = judge_is_in_order(judge);
        if (judge->flips != NULL && (!is_judged || judge_all(judge) == 0))
            answer = Py_BuildValue("(iOLLi)", is_judged, judge->flips, (long long)judge->earliest,
                                   (long long)judge->sooner, is_awaited);
        Py_XDECREF(judge->flips);
    } else if (!PyErr_Occurred()) {
        PyErr_SetString(PyExc_ValueError, "the columns do not belong together");
    }
    while (opened--)
        PyBuffer_Release(&columns[opened].view);
    return answer;
}
#undef I64
#undef F64
#undef U8
