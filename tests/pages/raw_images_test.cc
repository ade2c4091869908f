#include "pages/raw_images.h"

#include <doctest/doctest.h>

#include "pages/image_page.h"

namespace imgcached::pages {
namespace {

TEST_CASE("a link to an image survives what clients do to paths") {
  CHECK(raw_image_url("cat") == "/images/cat");
  CHECK(raw_image_url("a/b c%?#") == "/images/a/b%20c%25%3F%23");
  CHECK(raw_image_url("...") == "/images/...");
  CHECK(raw_image_url("..") == "/images?key=..");
  CHECK(raw_image_url("../../etc/passwd") == "/images?key=..%2F..%2Fetc%2Fpasswd");
  CHECK(raw_image_url("a/./b") == "/images?key=a%2F.%2Fb");
  CHECK(raw_image_url("/a") == "/images?key=%2Fa");
  CHECK(raw_image_url("a//b") == "/images?key=a%2F%2Fb");
  CHECK(raw_image_url("a/") == "/images?key=a%2F");
}

TEST_CASE("a link to an image's page holds the key as one value") {
  CHECK(image_page_url("a/b&c=+ \"<") == "/image?key_value=a%2Fb%26c%3D%2B%20%22%3C");
}

}  // namespace
}  // namespace imgcached::pages
