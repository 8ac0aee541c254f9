"""Units of measure: conversion between the units of the DTDL quantitative types."""
