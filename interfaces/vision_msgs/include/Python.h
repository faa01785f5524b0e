// The part of Python's stable C interface (PEP 384) that the generated converters of vision_msgs use.
//
// Debian and Ubuntu keep Python's own headers in python3-dev, and no wheel has them. This file replaces
// them on every machine, so a Python and a compiler are enough. All of it is the same for Python 3.10 to 3.13:
// functions of the stable ABI, and the two structs that it fixes. It is for compiling vision_msgs only.
#ifndef PYTHON_H
#define PYTHON_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

typedef ssize_t Py_ssize_t;
typedef struct _object PyObject;
typedef struct _typeobject PyTypeObject;
typedef PyObject * (* PyCFunction)(PyObject *, PyObject *);

typedef struct {
  const char * name;
  PyCFunction function;
  int flags;
  const char * doc;
} PyMethodDef;

struct PyModuleDef {
  struct {
    Py_ssize_t reference_count;
    PyTypeObject * type;
    PyObject * (* init)(void);
    Py_ssize_t index;
    PyObject * copy;
  } base;
  const char * name;
  const char * doc;
  Py_ssize_t size;
  PyMethodDef * methods;
  void * slots;
  void * traverse;
  void * clear;
  void * free;
};

#define PyModuleDef_HEAD_INIT {1, NULL, NULL, 0, NULL}
#define PyMODINIT_FUNC __attribute__((visibility("default"))) PyObject *
#define PyModule_Create(definition) PyModule_Create2(definition, 3)  // 3: the stable ABI

extern PyObject * PyExc_RuntimeError;
extern PyTypeObject PyFloat_Type, PyList_Type, PyLong_Type, PyUnicode_Type;

void Py_DecRef(PyObject *);
void PyErr_SetString(PyObject * type, const char * message);
PyObject * PyImport_ImportModule(const char * name);
PyObject * PyModule_Create2(struct PyModuleDef *, int version);
int PyModule_AddObject(PyObject * module, const char * name, PyObject * stolen);
PyObject * PyCapsule_New(void * pointer, const char * name, void (* destructor)(PyObject *));
PyObject * PyObject_CallObject(PyObject * callable, PyObject * arguments);
PyObject * PyObject_GetAttrString(PyObject *, const char * name);
int PyObject_SetAttrString(PyObject *, const char * name, PyObject * value);
int PyObject_IsInstance(PyObject *, PyObject * type);
int PySequence_Check(PyObject *);
PyObject * PySequence_Fast(PyObject *, const char * message);
Py_ssize_t PySequence_Size(PyObject *);
PyObject * PyList_New(Py_ssize_t size);
PyObject * PyList_GetItem(PyObject *, Py_ssize_t index);
int PyList_SetItem(PyObject *, Py_ssize_t index, PyObject * stolen);
PyObject * PyTuple_GetItem(PyObject *, Py_ssize_t index);
PyObject * PyFloat_FromDouble(double);
double PyFloat_AsDouble(PyObject *);
PyObject * PyLong_FromLong(long);
PyObject * PyLong_FromUnsignedLong(unsigned long);
long PyLong_AsLong(PyObject *);
unsigned long PyLong_AsUnsignedLong(PyObject *);
char * PyBytes_AsString(PyObject *);
PyObject * PyUnicode_AsUTF8String(PyObject *);
const char * PyUnicode_AsUTF8(PyObject *);
PyObject * PyUnicode_DecodeUTF8(const char * text, Py_ssize_t size, const char * errors);

// Python has these as macros that look inside its objects; here they call functions.
#define Py_DECREF(object) Py_DecRef((PyObject *)(object))
#define Py_XDECREF(object) Py_DecRef((PyObject *)(object))
#define PyFloat_Check(object) PyObject_IsInstance(object, (PyObject *)&PyFloat_Type)
#define PyLong_Check(object) PyObject_IsInstance(object, (PyObject *)&PyLong_Type)
#define PyUnicode_Check(object) PyObject_IsInstance(object, (PyObject *)&PyUnicode_Type)
#define PyFloat_AS_DOUBLE(object) PyFloat_AsDouble(object)
#define PyBytes_AS_STRING(object) PyBytes_AsString(object)
#define PyUnicode_1BYTE_DATA(object) PyUnicode_AsUTF8(object)
#define PySequence_Fast_GET_ITEM(object, index) \
  (PyObject_IsInstance(object, (PyObject *)&PyList_Type) ? \
  PyList_GetItem(object, index) : PyTuple_GetItem(object, index))

#endif
