"""The types and constructors that an adopted value may consist of: an enumerated list, never whole packages.

The list was made by reading the pickles (protocol 5) of every kind of value named here under NumPy 1.26 and 2.4 and
pandas 2.2 and 3.1. Constructors of user-defined classes, functions and anything that runs code are not on it.
"""

from __future__ import annotations

_TABLE = """
builtins: bytearray complex dict frozenset list range set slice tuple
collections: Counter OrderedDict deque
datetime: date datetime time timedelta timezone
decimal: Decimal
fractions: Fraction
types: SimpleNamespace
uuid: UUID
zoneinfo: ZoneInfo ZoneInfo._unpickle
numpy: bool bool_ dtype matrix ndarray complex64 complex128 float16 float32 float64 int8 int16 int32 int64 uint8 uint16
numpy: uint32 uint64 datetime64 timedelta64 str_ bytes_ object_
numpy._core.multiarray: _reconstruct scalar
numpy.core.multiarray: _reconstruct scalar
numpy._core.numeric: _frombuffer
numpy.core.numeric: _frombuffer
numpy.ma: MaskedArray
numpy.ma.core: MaskedArray _mareconstruct
pandas: BooleanDtype Categorical CategoricalDtype CategoricalIndex DataFrame DatetimeIndex DatetimeTZDtype Index NA
pandas: Float32Dtype Float64Dtype Int8Dtype Int16Dtype Int32Dtype Int64Dtype MultiIndex Period PeriodDtype PeriodIndex
pandas: RangeIndex Series StringDtype TimedeltaIndex UInt8Dtype UInt16Dtype UInt32Dtype UInt64Dtype Timestamp Timedelta
pandas.arrays: BooleanArray DatetimeArray FloatingArray IntegerArray PeriodArray StringArray TimedeltaArray
pandas.core.arrays.boolean: BooleanArray BooleanDtype
pandas.core.arrays.categorical: Categorical
pandas.core.arrays.datetimes: DatetimeArray
pandas.core.arrays.floating: FloatingArray Float32Dtype Float64Dtype
pandas.core.arrays.integer: IntegerArray Int8Dtype Int16Dtype Int32Dtype Int64Dtype
pandas.core.arrays.integer: UInt8Dtype UInt16Dtype UInt32Dtype UInt64Dtype
pandas.core.arrays.period: PeriodArray
pandas.core.arrays.string_: StringArray StringDtype
pandas.core.arrays.timedeltas: TimedeltaArray
pandas.core.dtypes.dtypes: CategoricalDtype DatetimeTZDtype PeriodDtype
pandas.core.frame: DataFrame
pandas.core.series: Series
pandas.core.indexes.base: Index _new_Index
pandas.core.indexes.category: CategoricalIndex
pandas.core.indexes.datetimes: DatetimeIndex _new_DatetimeIndex
pandas.core.indexes.multi: MultiIndex
pandas.core.indexes.period: PeriodIndex
pandas.core.indexes.range: RangeIndex
pandas.core.indexes.timedeltas: TimedeltaIndex
pandas.core.indexes.frozen: FrozenList
pandas.core.internals.blocks: new_block
pandas.core.internals.managers: BlockManager SingleBlockManager
pandas._libs.arrays: __pyx_unpickle_NDArrayBacked
pandas._libs.internals: _unpickle_block
pandas._libs.missing: NAType
pandas._libs.tslibs.nattype: NaTType _nat_unpickle
pandas._libs.tslibs.offsets: Day Hour Minute Second Week MonthEnd MonthBegin QuarterEnd QuarterBegin YearEnd YearBegin
pandas._libs.tslibs.offsets: BusinessDay
pandas._libs.tslibs.period: Period
pandas._libs.tslibs.timedeltas: Timedelta _timedelta_unpickle
pandas._libs.tslibs.timestamps: Timestamp _unpickle_timestamp
"""


def _parsed(table: str) -> frozenset[tuple[str, str]]:
    pairs: "set[tuple[str, str]]" = set()
    for line in table.strip().splitlines():
        module, names = line.split(": ", 1)
        pairs.update((module, name) for name in names.split())
    return frozenset(pairs)


ADOPTABLE: frozenset[tuple[str, str]] = _parsed(_TABLE)
"""Pairs of module and name that the restricted unpickler resolves; everything else is refused."""
