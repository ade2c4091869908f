// Points in time in SQL text: DATETIME(3) columns hold UTC, the program
// milliseconds since 1970. Both ways are plain arithmetic of the server's, which
// knows no time zones and no end of time in 2038 as UNIX_TIMESTAMP() does.
#pragma once

// The DATETIME of a parameter in milliseconds. Rounds nothing, uses an index.
#define SQL_TIME "TIMESTAMPADD(MICROSECOND, ? * 1000, '1970-01-01 00:00:00')"
// The milliseconds of a column.
#define SQL_CREATED_AT_MS "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', created_at) DIV 1000"
#define SQL_UPDATED_AT_MS "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', updated_at) DIV 1000"
#define SQL_STARTED_AT_MS "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', started_at) DIV 1000"
