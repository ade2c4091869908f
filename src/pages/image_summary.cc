#include "pages/image_summary.h"

#include "pages/format.h"
#include "pages/image_page.h"

namespace imgcached::pages {

View summary_of(const db::ImageSummary& image, std::int64_t now_ms) {
  View view;
  view.text("key", image.key)
      .text("url", image_page_url(image.key))
      .text("content_type", image.content_type)
      .text("size", bytes_in_words(image.byte_size))
      .text("when", utc_time(image.updated_at_ms))
      .text("ago", ago_in_words(image.updated_at_ms, now_ms))
      .text("machine_time", machine_time(image.updated_at_ms));
  return view;
}

}  // namespace imgcached::pages
