// What a page says of an image in a list: `{{> ...}}` templates ask for
//
//   key, url            the key, and the page of its image
//   content_type, size  image/png, 14.8 KB
//   when, ago, machine_time   `2026-01-31 09:05:07`, `5 minutes ago`, for <time>
#pragma once

#include <cstdint>

#include "db/image_table.h"
#include "pages/templates.h"

namespace imgcached::pages {

View summary_of(const db::ImageSummary& image, std::int64_t now_ms);

}  // namespace imgcached::pages
